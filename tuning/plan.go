package tuning

import "fmt"

// What the formulas rest on, beside what was Measured.
const (
	// Descriptors besides those of connections and listening sockets: open
	// tables of a store on disk (1000 is what Pebble opens by default), and
	// pollers, timers, logs, control socket and files of the moment.
	storeFiles   = 1000
	reserveFiles = 256
	otherFiles   = 16384 // of all other processes, for fs.file-max

	// Clients come back within this many seconds after all have lost the
	// broker; a loop does not accept for a second at worst.
	reconnectSeconds = 30
	acceptPause      = 1        // seconds
	handshakePackets = 6        // that arrive for a connect: SYN, ACK, CONNECT, ACK, SUBSCRIBE, ACK
	securePackets    = 4        // more over TLS: ClientHello, ACK, the client's Finished, ACK
	packetPauses     = 10       // parts of a second in which the kernel empties its packet queue once
	brokerBase       = 64 << 20 // bytes of the broker without connections

	// At any moment one connection in 50 has data in the kernel in both
	// directions, as much as its first buffers hold; one in 1000 does not read,
	// and its send buffer has grown to the maximum.
	activePart  = 50
	stalledPart = 1000

	// One connection in four is closed by the broker at once (a proxy or a
	// network that has gone): it is an orphan while its last bytes are under way, and
	// waits in TIME-WAIT for a minute.
	closedPart = 4

	freePorts   = 28232 // of outgoing connections, what Linux gives by default
	backlogMost = 65535 // what our listening sockets ask for at most
)

// The most that a Plan may ask for.
const (
	MaxConnections = 100_000_000
	MaxBuffer      = 1 << 30 // bytes
)

// Buffers that a kernel of our days gives when nothing says otherwise.
var (
	usualReceive = TCPMemory{4096, 131072, 6291456}
	usualSend    = TCPMemory{4096, 16384, 4194304}
)

// leastBuffers is what a socket's buffers should have: under memory pressure a
// small packet, at first a page, and at most what moves 2.6 MB/s over a round
// trip of 100 ms.
var leastBuffers = TCPMemory{1024, 4096, 262144}

// Plan is what is wanted of a host.
type Plan struct {
	Connections int64 // 1 to 100 million
	Secured     int64 // of these, over TLS
	Sockets     int64 // listening sockets: one for each listener and loop
	// Send and Receive are the sizes in bytes that buffer_sizes gives the
	// sockets; 0 leaves them to the kernel.
	Send, Receive int64
}

// Check tells why a plan cannot be judged.
func (p Plan) Check() error {
	if p.Connections < 1 || p.Connections > MaxConnections {
		return fmt.Errorf("cannot judge for %d connections: the number must be from 1 to %d", p.Connections, MaxConnections)
	}
	if p.Secured < 0 || p.Secured > p.Connections {
		return fmt.Errorf("cannot judge for %d connections over TLS: the number must be from 0 to all (%d)", p.Secured, p.Connections)
	}
	for _, n := range []int64{p.Send, p.Receive} {
		if n < 0 || n > MaxBuffer {
			return fmt.Errorf("cannot judge for a buffer of %d bytes: it must be from 0 to %d", n, MaxBuffer)
		}
	}
	return nil
}

// part is n/k, rounded up.
func part(n, k int64) int64 { return (n + k - 1) / k }

// Descriptors = connections + listening sockets + store + reserve.
func (p Plan) Descriptors() int64 {
	return p.Connections + p.Sockets + storeFiles + reserveFiles
}

// ConnectRate is the connects in a second after all clients have lost the
// broker: connections ÷ 30 s.
func (p Plan) ConnectRate() int64 { return part(p.Connections, reconnectSeconds) }

// Backlog is the accept queue in connections: connect rate × 1 s, within
// 128 (the smallest that is of use) and 65535.
func (p Plan) Backlog() int64 {
	return min(max(p.ConnectRate()*acceptPause, 128), backlogMost)
}

// halfOpen is the queue of connections whose handshake is not complete. A
// round trip of a second is assumed. Without SYN cookies the kernel uses only
// three quarters of it for peers that it does not know.
func (p Plan) halfOpen(h *Host) int64 {
	if h.SynCookies == 0 {
		return part(p.Backlog()*4, 3)
	}
	return p.Backlog()
}

// secureRate is the part of ConnectRate that is over TLS.
func (p Plan) secureRate() int64 { return part(p.Secured, reconnectSeconds) }

// Packets is the packet queue of one core: connect rate × 6 packets, 10 over
// TLS, × 0.1 s, within 1000 (the default) and 65536.
func (p Plan) Packets() int64 {
	return min(max((p.ConnectRate()*handshakePackets+p.secureRate()*securePackets)/packetPauses, 1000), 65536)
}

// Closing is the connections that the broker closes at once: a quarter, at
// least 4096. It bounds orphans and TIME-WAIT.
func (p Plan) Closing() int64 { return max(part(p.Connections, closedPart), 4096) }

// Tracked is the conntrack entries: connections × 1.25, for those of clients
// that have come back while the old entry still ages, at least 4096.
func (p Plan) Tracked() int64 { return max(p.Connections+part(p.Connections, 4), 4096) }

// Cores = connect rate × what a connect takes × 2: connecting takes half of the
// time.
func (p Plan) Cores() int64 {
	busy := (p.ConnectRate()-p.secureRate())*plainCost().connect + p.secureRate()*secureCost().connect
	return max(1, part(2*busy, 1_000_000_000))
}

// Tasks is the threads of the broker: 256 for system calls that block, and 4
// for each core.
func (p Plan) Tasks(h *Host) int64 { return 256 + 4*max(int64(h.Cores), 1) }

// idleMemory = 64 MiB + connections × what one takes in broker and kernel.
func (p Plan) idleMemory() int64 {
	plain, secure := plainCost(), secureCost()
	return brokerBase + (p.Connections-p.Secured)*(plain.broker+plain.kernel) + p.Secured*(secure.broker+secure.kernel)
}

// bufferBytes is the data in the kernel's TCP buffers:
// connections ÷ 50 × (first send + first receive buffer)
// + connections ÷ 1000 × largest send buffer.
// A size that a program asks for is doubled by the kernel (socket(7)) and does
// not grow.
func (p Plan) bufferBytes(h *Host) int64 {
	send, receive := usualSend, usualReceive
	if h.Send.known() {
		send = h.Send
	}
	if h.Receive.known() {
		receive = h.Receive
	}
	if n := 2 * p.Send; n > 0 {
		send.Default, send.Max = n, n
	}
	if n := 2 * p.Receive; n > 0 {
		receive.Default = n
	}
	size := func(n int64) int64 { return min(n, 2*MaxBuffer) } // a sum of these cannot overflow
	return part(p.Connections, activePart)*(size(send.Default)+size(receive.Default)) +
		part(p.Connections, stalledPart)*size(send.Max)
}

// Buffers is the data in the kernel's TCP buffers in bytes. See bufferBytes.
func (p Plan) Buffers(h *Host) int64 { return p.bufferBytes(h) }

// Memory is what the plan needs in bytes: idle connections and their data.
func (p Plan) Memory(h *Host) int64 { return p.idleMemory() + p.bufferBytes(h) }

// TCPPages is tcp_mem in pages: the maximum is bufferBytes, but not more than
// half of the memory; the others are 1/2 and 2/3 of it, the kernel's own ratio.
func (p Plan) TCPPages(h *Host) TCPMemory {
	b := p.bufferBytes(h)
	if h.Memory > 0 {
		b = min(b, int64(h.Memory)/2)
	}
	most := max(part(b, h.PageSize), 6)
	return TCPMemory{most / 2, most * 2 / 3, most}
}
