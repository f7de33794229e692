package capacity

import (
	"fmt"
	"math"

	"vernemq/tuning"
)

// Figure is a number of the answer and how it came about.
type Figure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	How    string  `json:"how"`
	hidden bool    // a step on the way, shown with the arithmetic only
}

// Limit is how much of what a host has is needed.
type Limit struct {
	Name string  `json:"name"`
	Need float64 `json:"need"`
	Have float64 `json:"have"`
	Unit string  `json:"unit"`
}

// Used is the part that is needed.
func (l Limit) Used() float64 { return l.Need / l.Have }

// Estimate is what a demand will need.
type Estimate struct {
	Demand   Demand        `json:"demand"`
	Measured string        `json:"measured"` // where the constants come from
	Figures  []Figure      `json:"figures"`
	Settings []tuning.Item `json:"settings"`
	Limits   []Limit       `json:"limits"` // the tightest first
	k        *Calibration
}

// headroom is the part of a loop's time that is planned to be used.
const headroom = 0.7

// handshakePart is the part of the processors that compute TLS handshakes at a
// time (ARCHITECTURE.md).
const handshakePart = 0.5

func (e *Estimate) add(name string, value float64, unit, how string, args ...any) float64 {
	e.Figures = append(e.Figures, Figure{Name: name, Value: value, Unit: unit, How: fmt.Sprintf(how, args...)})
	return value
}

// step is add for a number that leads to others.
func (e *Estimate) step(name string, value float64, unit, how string, args ...any) float64 {
	e.add(name, value, unit, how, args...)
	e.Figures[len(e.Figures)-1].hidden = true
	return value
}

// Value is a figure by its name; 0 when there is none.
func (e *Estimate) Value(name string) float64 {
	for _, f := range e.Figures {
		if f.Name == name {
			return f.Value
		}
	}
	return 0
}

// Plan works out what a demand needs, and compares it with a host. link is
// the network of that host in bits per second.
func Plan(d Demand, k *Calibration, host *tuning.Host, link float64) (*Estimate, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	if math.IsNaN(link) || link < 1e3 || link > 1e15 {
		return nil, fmt.Errorf("cannot plan for a link of %v bit/s: 1e3 to 1e15", link)
	}
	if err := k.fits(d); err != nil {
		return nil, err
	}
	e := &Estimate{Demand: d, k: k, Measured: k.where()}
	loops := e.cores()
	e.memory(host)
	e.network()
	e.descriptors(loops, host)
	e.latency(loops)
	e.limits(host, link)
	return e, nil
}

// cpu is the µs of CPU in a second of one of so many loops, with all work
// spread evenly. A ping is taken as a message of QoS 0 with one delivery.
func (e *Estimate) cpu(loops float64) float64 {
	d := &e.Demand
	in, out := d.Rate/loops, d.Rate*d.Fanout/loops
	kib := (in + out) * float64(d.Payload) / 1024
	pings := d.pings() / loops
	return e.k.QoS[d.QoS].cpu(e.k.Payload.Value, in, out, kib) + e.k.QoS[0].cpu(e.k.Payload.Value, pings, pings, 0)
}

// loops is the fewest loops that are busy for headroom at most.
func (e *Estimate) loops() float64 {
	fits := func(n float64) bool { return e.cpu(n) <= headroom*1e6 }
	high := 1.0
	for !fits(high) {
		high *= 2
	}
	low := math.Floor(high / 2)
	for high-low > 1 {
		if m := math.Floor((low + high) / 2); fits(m) {
			high = m
		} else {
			low = m
		}
	}
	return high
}

func (e *Estimate) cores() float64 {
	d, q := &e.Demand, &e.k.QoS[e.Demand.QoS]
	forLoad := e.step("loops for the load", e.loops(), "loops", "the fewest whose busy part is at most %.0f %%", 100*headroom)
	connects := float64(d.host().ConnectRate())
	storm := e.step("connect storm", connects*e.k.Connect.Value/1e6, "cores",
		"all clients come back within 30 s: %.0f connects/s × %.3g µs", connects, e.k.Connect.Value)
	loops := e.stormLoops(forLoad, storm)
	n := (d.Rate + d.Rate*d.Fanout) / loops
	busy := e.add("CPU of the load", loops*e.cpu(loops)/1e6, "cores",
		"%.6g in/s × %.3g µs + %.6g out/s × %.3g µs + %.6g KiB/s × %.3g µs + wakes %.6g/s in each of %.0f loops × %.3g µs ÷ (1 + wakes × %.3g µs) + %.6g pings/s, each as a QoS 0 message in and out",
		d.Rate, q.In.Value, d.Rate*d.Fanout, q.Out.Value, d.Rate*(1+d.Fanout)*float64(d.Payload)/1024, e.k.Payload.Value,
		n, loops, q.Wake.Value, q.Warm.Value, d.pings())
	e.step("busy part of a loop", 100*busy/loops, "%", "CPU of the load ÷ loops")
	e.add("cores", loops+1, "cores", "loops + 1 for the kernel's network work and the runtime; a loop is busy for %.0f %%, %.0f %% at most", 100*busy/loops, 100*headroom)
	return loops
}

// stormLoops is the loops that the load and a connect storm want. TLS
// handshakes do not run on loops, but on half of the processors at most.
func (e *Estimate) stormLoops(forLoad, storm float64) float64 {
	if e.Demand.TLS {
		return e.step("loops", max(forLoad, math.Ceil(storm/handshakePart)-1), "loops",
			"the larger of loops for the load and connect storm ÷ %.1f - 1: that part of the cores computes TLS handshakes, and cores are loops + 1", handshakePart)
	}
	return e.step("loops", max(forLoad, math.Ceil(storm/headroom)), "loops", "the larger of loops for the load and connect storm ÷ %.1f", headroom)
}

const mib = 1 << 20

// heapRoom is what messages add to a small broker. Go's heap grows to 4 MiB
// before it is collected for the first time; in runs of some seconds 1.5 to
// 5 MB were added. It cannot be told apart in a broker that has had many
// connections, and does not matter there.
const heapRoom = 3 * mib

// queuedHead is what a message in the store has beside its payload, in bytes:
// a key with a client identifier of 24 bytes, the heads of entry and message, a
// topic of 20 bytes.
const queuedHead = 92.0

func (e *Estimate) memory(h *tuning.Host) {
	d, k := &e.Demand, e.k
	n := float64(d.Connections)
	traffic := 0.0
	if d.Rate > 0 {
		traffic = heapRoom
	}
	broker := k.Base.Value + traffic + n*k.Connection.Value + float64(d.Subscriptions)*k.Subscription.Value
	e.add("memory of the broker", broker/mib, "MiB",
		"%.3g base + %.3g of heap that messages leave + %d connections × %.4g + %d subscriptions × %.4g, in bytes; what is queued is on disk",
		k.Base.Value, traffic, d.Connections, k.Connection.Value, d.Subscriptions, k.Subscription.Value)
	if d.TLS {
		e.add("memory after a storm", (broker+n*max(k.Storm.Value-k.Connection.Value, 0))/mib, "MiB",
			"memory of the broker + %d connections × (%.4g - %.4g) bytes, for half a minute after all have come", d.Connections, k.Storm.Value, k.Connection.Value)
	}
	if d.Queued > 0 {
		e.add("disk", float64(d.Queued)*(queuedHead+float64(d.Payload))/mib, "MiB",
			"%d queued messages × (%d for key, heads and topic + payload), in bytes, not compressed; twice that while tables are merged", d.Queued, int(queuedHead))
	}
	buffers := float64(d.host().Buffers(h))
	e.add("memory of the kernel", n*k.Kernel.Value/mib, "MiB", "%d connections × %.4g bytes of sockets, files and epoll", d.Connections, k.Kernel.Value)
	e.add("socket buffers", buffers/mib, "MiB",
		"at worst: connections ÷ 50 × (first send + first receive buffer) + connections ÷ 1000 × largest send buffer (docs/tuning.md); none while clients read and are idle")
}

// Sizes on the wire, bytes. A frame is Ethernet with preamble and gap 38, IPv4
// 20, TCP with timestamps 32; a topic of 20 bytes with PUBLISH's header is 26.
const (
	frame   = 90.0
	segment = 1448.0
	header  = 26.0
	ackSize = 4.0

	// A TLS record has 16 KiB and its head, 29 bytes with AES-GCM in TLS 1.2
	// and 22 in TLS 1.3.
	record     = 29.0
	recordSize = 16384.0
)

// packet is the bytes of an MQTT packet on the wire, sent by itself.
func (d *Demand) packet(size float64) float64 {
	if d.TLS {
		size += record * max(1, math.Ceil(size/recordSize))
	}
	return size + frame*max(1, math.Ceil(size/segment))
}

// wire is the bytes that a message takes in its own direction and in the other.
func (d *Demand) wire() (along, back float64) {
	along, back = d.packet(float64(d.Payload)+header), frame // a bare ACK of TCP comes back
	ack := d.packet(ackSize)
	switch d.QoS {
	case 1: // PUBACK
		back = ack
	case 2: // PUBREL; PUBREC, PUBCOMP
		along, back = along+ack, 2*ack
	}
	return along, back
}

func (e *Estimate) network() {
	d := &e.Demand
	along, back := d.wire()
	ping := d.packet(2)
	out := d.Rate * d.Fanout
	how := "8 × (%.6g/s × %.0f B + %.6g/s × %.0f B + %.6g pings/s × %.0f B), each packet in a frame of its own with 90 B around it, topic 20 B"
	if d.TLS {
		how += fmt.Sprintf(", in a TLS record of its own with %.0f B, without handshakes", record)
	}
	e.add("network in", 8*(d.Rate*along+out*back+d.pings()*ping)/1e6, "Mbit/s", how, d.Rate, along, out, back, d.pings(), ping)
	e.add("network out", 8*(out*along+d.Rate*back+d.pings()*ping)/1e6, "Mbit/s", how, out, along, d.Rate, back, d.pings(), ping)
}

func (e *Estimate) descriptors(loops float64, h *tuning.Host) {
	p := e.Demand.host()
	p.Sockets = int64(loops)
	e.add("descriptors", float64(p.Descriptors()), "files", "connections + a listening socket for each loop + 1000 + 256 (docs/tuning.md)")
	for _, i := range tuning.Judge(h, p).Items {
		switch i.Name {
		case "memory", "cores": // the model has them itself
		default:
			e.Settings = append(e.Settings, i)
		}
	}
}
