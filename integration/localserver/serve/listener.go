package serve

import (
	"net"
	"sync"
)

// A listener ends, when it is closed, also the connections on which nothing ever came.
// Clients open them in advance (net/http does where one more request waits than there are
// connections), and to fasthttp they are requests under way: they would hold up the end.
type listener struct {
	*net.TCPListener

	mu     sync.Mutex
	unused map[*conn]bool // nil once the listener is closed
}

// listenOn listens on a port of 127.0.0.1; 0 is any that is free.
func listenOn(port int) (*listener, error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		return nil, err
	}
	return &listener{TCPListener: l, unused: map[*conn]bool{}}, nil
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	n := &conn{TCPConn: c, listener: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unused == nil {
		n.CloseRead()
	} else {
		l.unused[n] = true
	}
	return n, nil
}

// Close implements net.Listener. What a client sent before it is still read: CloseRead is
// an end of file behind the bytes that arrived.
func (l *listener) Close() error {
	err := l.TCPListener.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.unused {
		c.CloseRead()
	}
	l.unused = nil
	return err
}

// A conn tells its listener when it has been used, or is gone.
type conn struct {
	*net.TCPConn
	listener *listener
	once     sync.Once
}

func (c *conn) leave() {
	c.once.Do(func() {
		c.listener.mu.Lock()
		defer c.listener.mu.Unlock()
		delete(c.listener.unused, c)
	})
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.leave()
	return n, err
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.leave()
	return c.TCPConn.Close()
}
