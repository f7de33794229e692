package bench

import (
	"fmt"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// MinSize is the smallest payload: due time, publisher and number.
const MinSize = stampSize

const (
	maxSize     = 1 << 20
	maxInflight = 10_000 // far from the 65,535 packet identifiers
	spareFiles  = 64     // descriptors that are not clients
)

// limits are what the machine allows.
type limits struct {
	files int // open descriptors of this process
	ports int // local ports of an address
}

// Check refuses a load that makes no sense or that cannot be run here, and
// names the limit that it breaks. engines is the number of processes that the
// clients are split over.
func (l *Load) Check(engines int) error {
	if err := l.CheckElsewhere(engines); err != nil {
		return err
	}
	m, err := machine()
	if err != nil {
		return err
	}
	return l.checkMachine(m, engines)
}

// CheckElsewhere is Check for a load whose clients are those of agents, which
// look at their own machines.
func (l *Load) CheckElsewhere(engines int) error {
	if err := l.checkFlags(); err != nil {
		return err
	}
	if l.messages() {
		if err := l.checkMessages(); err != nil {
			return err
		}
	}
	if engines > 1 && l.messages() && l.Rate == 0 && l.Kind != Offline && l.Kind != Retained {
		return fmt.Errorf("cannot split a closed loop over %d agents: give a --rate", engines)
	}
	return nil
}

func (l *Load) checkFlags() error {
	switch {
	case l.Level != 4 && l.Level != 5:
		return fmt.Errorf("protocol level %d: 4 or 5", l.Level)
	case l.connections() < 1 || l.Clients < 0:
		return fmt.Errorf("%d clients: at least 1", l.connections())
	case l.ConnectRate < 0 || l.Rate < 0:
		return fmt.Errorf("rate %v: 0 or more", min(l.Rate, l.ConnectRate))
	case l.Parallel < 1:
		return fmt.Errorf("%d handshakes at once: at least 1", l.Parallel)
	case l.KeepAlive < 0 || l.KeepAlive > 65535:
		return fmt.Errorf("keep alive of %d seconds: 0 to 65535", l.KeepAlive)
	case l.Workers < 1 || l.Workers > 64:
		return fmt.Errorf("%d workers: 1 to 64", l.Workers)
	case l.Duration <= 0 || l.Timeout <= 0 || l.Warm < 0:
		return fmt.Errorf("duration %v, timeout %v, warm-up %v: more than 0, the warm-up 0 or more", l.Duration, l.Timeout, l.Warm)
	case l.Step && (l.Kind != Flow || l.Rate == 0):
		return fmt.Errorf("steps need a flow of messages with a --rate to begin with")
	case l.Step && (l.Objective <= 0 || l.Quantile <= 0 || l.Quantile >= 1):
		return fmt.Errorf("steps need an --objective such as p99=50ms")
	case l.Kind == Auth && l.Username == "":
		return fmt.Errorf("the auth case needs a --username")
	case l.Kind == Secured && l.TLS == nil:
		return fmt.Errorf("the tls case needs --tls")
	case l.Wrong < 0 || l.Wrong > l.Clients || l.Wrong > 0 && l.Password == "":
		return fmt.Errorf("--wrong %d: 0 to the clients (%d), with a --password", l.Wrong, l.Clients)
	case l.Password != "" && l.Username == "" && l.Level == 4:
		return fmt.Errorf("--password without --username: MQTT 3.1.1 has no password without a user name")
	}
	return nil
}

func (l *Load) checkMessages() error {
	switch {
	case l.Publishers < 1 || l.Subscribers < 1:
		return fmt.Errorf("%d publishers, %d subscribers: at least 1 of each", l.Publishers, l.Subscribers)
	case l.QoS > 2:
		return fmt.Errorf("QoS %d: 0, 1 or 2", l.QoS)
	case l.Size < MinSize || l.Size > maxSize:
		return fmt.Errorf("payload of %d bytes: %d (due time, publisher and number) to %d", l.Size, MinSize, maxSize)
	case l.Shape == Pairs && l.Publishers != l.Subscribers:
		return fmt.Errorf("%d publishers, %d subscribers: pairs need as many of one as of the other", l.Publishers, l.Subscribers)
	case l.Shape == FanIn && l.Publishers < l.Subscribers:
		return fmt.Errorf("%d publishers, %d subscribers: a fan-in needs a publisher for each subscriber", l.Publishers, l.Subscribers)
	case l.Inflight < 1 || l.Inflight > maxInflight:
		return fmt.Errorf("%d unacknowledged messages: 1 to %d", l.Inflight, maxInflight)
	case l.Rate == 0 && (l.Window < 1 || l.Batch < 1):
		return fmt.Errorf("window %d, batch %d: at least 1", l.Window, l.Batch)
	case l.Persistent && l.Level != 5:
		return fmt.Errorf("persistent subscribers need -v 5, whose sessions expire")
	case l.Kind == SlowGroup && (l.Slow < 1 || l.Slow >= l.Subscribers):
		return fmt.Errorf("%d of %d subscribers slow: at least 1, and not all", l.Slow, l.Subscribers)
	case (l.Kind == Offline || l.Kind == Retained) && l.Burst < 1:
		return fmt.Errorf("%d messages per publisher: at least 1", l.Burst)
	case l.Kind == Offline && l.QoS == 0:
		return fmt.Errorf("QoS 0: messages for clients that are away need QoS 1 or 2")
	}
	return nil
}

func machine() (m limits, err error) {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return m, fmt.Errorf("cannot read the limit of open files: %w", err)
	}
	m.files = int(min(r.Cur, 1<<30))
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return m, fmt.Errorf("cannot read the range of local ports: %w", err)
	}
	var from, to int
	if _, err := fmt.Sscan(string(b), &from, &to); err != nil {
		return m, fmt.Errorf("cannot read the range of local ports: %w", err)
	}
	m.ports = to - from + 1
	return m, nil
}

func (l *Load) checkMachine(m limits, engines int) error {
	n := (l.connections() + engines - 1) / engines
	if n > m.files-spareFiles {
		return fmt.Errorf("%d clients in one process need %d open files, the limit is %d (ulimit -n): raise it, use --scale %.2g or --agents",
			n, n+spareFiles, m.files, float64(m.files-spareFiles)/float64(n)*0.99)
	}
	for _, s := range l.Sources {
		if _, err := netip.ParseAddr(s); err != nil {
			return fmt.Errorf("source address %q: %w", s, err)
		}
	}
	if all := max(len(l.Sources), 1); n > all*m.ports && !l.loopback() {
		return fmt.Errorf("%d clients of one process, but a source address has %d ports: give %d source addresses, for example --source %s",
			n, m.ports, (n+m.ports-1)/m.ports, exampleSources((n+m.ports-1)/m.ports))
	}
	return nil
}

// loopback tells that the broker is on the loopback network, where there are
// as many source addresses as clients need.
func (l *Load) loopback() bool {
	a, err := netip.ParseAddrPort(l.Addr)
	return err == nil && a.Addr().Is4() && a.Addr().IsLoopback() && len(l.Sources) == 0
}

func exampleSources(n int) string {
	var s []string
	for i := range min(n, 3) {
		s = append(s, fmt.Sprintf("127.0.0.%d", i+2))
	}
	if n > 3 {
		s = append(s, "…")
	}
	return strings.Join(s, ",")
}
