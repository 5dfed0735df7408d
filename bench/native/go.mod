module cenote/bench/native

go 1.19
