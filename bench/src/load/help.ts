/** What `load --help` prints. */
export const HELP = `Usage: npm run bench -- load <address> [options]

Puts load on a server of yours through a Cenote pool, and says how fast it answers.

  npm run bench -- load redis://localhost:6379
  npm run bench -- load redis://localhost --rate 20000 --duration 30s
  npm run bench -- load tcp://localhost:7000 --protocol line --callers 64
  npm run bench -- load tls://my.host:7001 --ca ca.pem --rate 500..5000 --arrivals poisson

Addresses: tcp://host:port  tls://host:port  unix:/path
           redis://[user:password@]host[:port][/database]  rediss://… (with TLS)

What is sent
  --protocol <name>      resp             a Redis command (the default for redis://)
                         line             a line of text; the server answers each with a line
                         length-prefixed  a message behind its length; answered by such a one
                         fixed            as many bytes as --payload; answered by as many
                         raw              bytes over a connection of one's own, then as many read as
                                          --reply-bytes says (the default; fits any echo server)
  --payload <size>       bytes of a request, or of a value for resp: 64, 4k, 1m (default 64)
  --command <text>       for resp; {key} and {value} are filled in (default 'GET {key}'). Keys begin with
                         cenote-bench: and are removed at the end; for commands that read a string they
                         are filled before
  --keys <n>             how many keys (default 1024)
  --reply-bytes <size>   for raw: how many bytes answer a request (default: --payload)
  --handler <file#name>  instead of requests: a function of a handlers module, called in the shards
  --input <json>         what the handler is given (default: nothing)
  --prefix-bytes <n>     for length-prefixed: 1, 2 or 4 bytes of length (default 4)

How much
  --callers <n>          closed loop: so many callers, each waits for its reply and then sends the next
                         (default: one for each connection)
  --think <time>         a caller's pause between reply and next request (default 0)
  --rate <rate>          open loop: requests a second, sent when they are due, however slow the answers are
                           5000              all the time
                           1000..20000       more and more, in a straight line
                           1000,5000,20000   one after the other, each for the same time
  --arrivals <kind>      constant: evenly apart (default); poisson: at random, as from many users
  --seed <n>             makes random arrivals the same again
  --duration <time>      what is measured: 500ms, 30s, 2m (default 10s)
  --warmup <time>        what goes before it and is not measured (default 1s)

Through which pool
  --connections <n>      at most so many, all open from the start (default 16)
  --shards <n>           worker threads that hold them; 0: none (default: one less than cores, from 1 to 4)
  --pipelining <n>       requests in flight on one connection (default: the protocol's, 64)
  --timeout <time>       after which a request has failed (default 5s)
  --ca <file>            for tls: certificates of the authority to trust, in PEM
  --servername <name>    for tls: the name that the certificate must have, if not the host's
  --insecure             for tls: trust any certificate

What is done with the result
  --out <file>           write the JSON there, and the charts beside it (default: bench/out/load-<time>.json)
  --json                 print the JSON, and nothing else; write no file
  --assert               exit with 1 if a request failed or was not answered
  --help                 this text

Response time is counted from the moment at which a request was to begin: a server that stands still for a
second makes all wait that were due in it, and that shows. Ctrl-C ends a run early and prints what there is.

Exit codes: 0 done, 1 --assert has found a failure, 2 cannot run (a bad flag, no server), 130 interrupted.
`
