package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sort"
	"sync"
	"syscall"
	"time"
)

// Load is what the callers do.
type Load struct {
	Pool    *ConnPool
	Callers int
	Payload int
}

// Report is one round. Latencies are in microseconds, from before Get until after Put.
type Report struct {
	Requests  int     `json:"requests"`
	ElapsedMs float64 `json:"elapsedMs"`
	CPUMs     float64 `json:"cpuMs"`
	Latency   Latency `json:"latency"`
}

// Latency sums up a round's.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Run lets all callers work for a while, and waits until the last of them has its reply.
func (l *Load) Run(duration time.Duration) (Report, error) {
	samples := make([][]time.Duration, l.Callers)
	errs := make([]error, l.Callers)
	var callers sync.WaitGroup
	cpu, start := cpuTime(), time.Now()
	for index := range samples {
		callers.Add(1)
		go func(index int) {
			defer callers.Done()
			samples[index], errs[index] = l.call(index, start.Add(duration))
		}(index)
	}
	callers.Wait()
	elapsed, spent := time.Since(start), cpuTime()-cpu
	for _, err := range errs {
		if err != nil {
			return Report{}, err
		}
	}
	all := make([]time.Duration, 0)
	for _, some := range samples {
		all = append(all, some...)
	}
	return Report{Requests: len(all), ElapsedMs: inMs(elapsed), CPUMs: inMs(spent), Latency: sumUp(all)}, nil
}

// call is one caller: one request after the other, each with a number of its own in its first bytes.
func (l *Load) call(caller int, end time.Time) ([]time.Duration, error) {
	sent, received := make([]byte, l.Payload), make([]byte, l.Payload)
	for index := range sent {
		sent[index] = byte(index)
	}
	var taken []time.Duration
	for now := time.Now(); now.Before(end); {
		binary.LittleEndian.PutUint64(sent, uint64(caller)<<32|uint64(len(taken)))
		if err := l.echo(sent, received); err != nil {
			return nil, err
		}
		begun := now
		now = time.Now()
		taken = append(taken, now.Sub(begun))
	}
	return taken, nil
}

// echo is one request over a connection of the pool.
func (l *Load) echo(sent, received []byte) error {
	c, err := l.Pool.Get()
	if err != nil {
		return err
	}
	if _, err = c.Write(sent); err == nil {
		_, err = io.ReadFull(c, received)
	}
	if err == nil && !bytes.Equal(sent, received) {
		err = errors.New("another reply arrived than was sent")
	}
	if err != nil {
		l.Pool.Discard(c)
		return err
	}
	l.Pool.Put(c)
	return nil
}

func sumUp(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	sort.Slice(all, func(a, b int) bool { return all[a] < all[b] })
	at := func(share float64) float64 { return float64(all[int(share*float64(len(all)-1))].Nanoseconds()) / 1e3 }
	return Latency{P50: at(0.5), P99: at(0.99), Max: at(1)}
}

// cpuTime is what all threads of this process have spent on processors.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func inMs(duration time.Duration) float64 {
	return float64(duration.Nanoseconds()) / 1e6
}
