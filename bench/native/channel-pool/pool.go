package main

import (
	"errors"
	"net"
	"os"
	"time"
)

// How long the probe waits for a byte that must not come.
const probeDeadline = 10 * time.Millisecond

// A connection that was put back longer ago than this is not lent again.
const staleAfter = 30 * time.Second

// Conn is a pooled connection.
type Conn struct {
	net.Conn
	putAt time.Time
}

// ConnPool is the pool that Cenote grew from: a channel of idle connections.
type ConnPool struct {
	connChan chan *Conn    // idle ones; its capacity is maxIdle
	permits  chan struct{} // one for each open connection
	factory  func(addr string) (net.Conn, error)
	addr     string
	probe    bool // read before each loan whether the peer is still there: costs probeDeadline each time
}

// NewConnPool opens nothing yet.
func NewConnPool(addr string, maxOpen, maxIdle int, probe bool, factory func(addr string) (net.Conn, error)) *ConnPool {
	return &ConnPool{
		connChan: make(chan *Conn, maxIdle),
		permits:  make(chan struct{}, maxOpen),
		factory:  factory,
		addr:     addr,
		probe:    probe,
	}
}

// Get lends an idle connection; without one it dials, and at the limit it waits for what comes first.
func (p *ConnPool) Get() (*Conn, error) {
	for {
		select {
		case c := <-p.connChan:
			if p.usable(c) {
				return c, nil
			}
			continue
		default:
		}
		select {
		case c := <-p.connChan:
			if p.usable(c) {
				return c, nil
			}
		case p.permits <- struct{}{}:
			dialled, err := p.factory(p.addr)
			if err != nil {
				<-p.permits
				return nil, err
			}
			return &Conn{Conn: dialled}, nil
		}
	}
}

// Put takes a connection back: kept, or closed if maxIdle are idle already.
func (p *ConnPool) Put(c *Conn) {
	c.putAt = time.Now()
	select {
	case p.connChan <- c:
	default:
		p.Discard(c)
	}
}

// Discard closes a connection that is good for nothing any more.
func (p *ConnPool) Discard(c *Conn) {
	c.Close()
	<-p.permits
}

// usable says whether an idle connection can be lent, and discards it if not.
func (p *ConnPool) usable(c *Conn) bool {
	if time.Since(c.putAt) > staleAfter || (p.probe && !alive(c)) {
		p.Discard(c)
		return false
	}
	return true
}

// alive reads one byte. Only silence until the deadline is a good sign: an end is one of the peer, a byte is one that nobody asked for.
func alive(c *Conn) bool {
	if c.SetReadDeadline(time.Now().Add(probeDeadline)) != nil {
		return false
	}
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, os.ErrDeadlineExceeded) && c.SetReadDeadline(time.Time{}) == nil
}
