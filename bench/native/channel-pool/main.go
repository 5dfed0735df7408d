// The channel pool under load: callers take a connection, send a payload, read it back, and return the connection.
//
// A line "round <ms>" on standard input runs one round; its figures go to standard output as one line of JSON. Connections stay open
// between rounds. The end of standard input ends the program.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	var load Load
	address := flag.String("address", "", "host:port of an echo server")
	connections := flag.Int("connections", 16, "connections at most, all kept when idle")
	probe := flag.Bool("probe", false, "read for 10 ms before each loan to see whether the connection is alive")
	flag.IntVar(&load.Callers, "callers", 32, "callers, a goroutine each")
	flag.IntVar(&load.Payload, "payload", 64, "bytes sent and then read back, 8 to 65536: what sockets hold while nobody reads")
	flag.Parse()
	if *address == "" || *connections < 1 || load.Callers < 1 || load.Payload < 8 || load.Payload > 65536 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	load.Pool = NewConnPool(*address, *connections, *connections, *probe, dial)
	rounds := make(chan time.Duration)
	go readRounds(rounds)
	for duration := range rounds {
		report, err := load.Run(duration)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(report)
		}
		if err != nil {
			fail(err)
		}
	}
}

// dial opens a connection without Nagle's algorithm, which is Go's default.
func dial(addr string) (net.Conn, error) {
	return net.DialTimeout("tcp", addr, 5*time.Second)
}

// readRounds reads beside the load, so that the end of the input ends a round as well.
func readRounds(rounds chan<- time.Duration) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var ms int
		if _, err := fmt.Sscanf(lines.Text(), "round %d", &ms); err != nil || ms < 1 {
			fail(fmt.Errorf("not \"round <ms>\": %q", lines.Text()))
		}
		rounds <- time.Duration(ms) * time.Millisecond
	}
	os.Exit(0)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
