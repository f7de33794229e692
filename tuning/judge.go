package tuning

import (
	"fmt"
	"strconv"
	"strings"
)

// Verdict is what comes of a judgement.
type Verdict string

// The verdicts. NotKnown: there is no such file, as in many containers, where
// the host's administrator has to look.
const (
	OK       Verdict = "ok"
	Low      Verdict = "low"
	NotKnown Verdict = "unknown"
)

// Item is the judgement of one setting. Reason says what breaks when there is
// too little and how it shows; Remedy what to set.
type Item struct {
	Name    string  `json:"name"`
	Found   string  `json:"found"`
	Wanted  string  `json:"wanted"`
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason"`
	Remedy  string  `json:"remedy,omitempty"`

	value string // for sysctl.d, not below what is there; "" = no sysctl
}

// Report is a host judged for a plan.
type Report struct {
	Connections int64   `json:"connections"`
	Verdict     Verdict `json:"verdict"`
	Items       []Item  `json:"items"`
}

// Judge judges a host. The plan must pass its Check. The report is low when one
// item is; what is unknown does not count.
func Judge(h *Host, p Plan) Report {
	r := Report{Connections: p.Connections, Verdict: OK}
	for _, items := range [][]Item{judgeFiles(h, p), judgeConnects(h, p), judgeTCP(h, p), judgeSpare(h, p), judgeMachine(h, p), judgeGroup(h, p)} {
		r.Items = append(r.Items, items...)
	}
	for _, i := range r.Items {
		if i.Verdict == Low {
			r.Verdict = Low
		}
	}
	return r
}

// low returns the items that are.
func (r Report) low() (out []Item) {
	for _, i := range r.Items {
		if i.Verdict == Low {
			out = append(out, i)
		}
	}
	return out
}

func (v Value) String() string {
	switch v {
	case Unknown:
		return "unknown"
	case Unlimited:
		return "unlimited"
	}
	return strconv.FormatInt(int64(v), 10)
}

// verdict compares what is there with what is wanted.
func (v Value) verdict(wanted int64) Verdict {
	switch {
	case v == Unknown:
		return NotKnown
	case int64(v) < wanted:
		return Low
	}
	return OK
}

// size shows bytes to people.
func size(v Value) string {
	if v == Unknown || v == Unlimited {
		return v.String()
	}
	const units = "KMGTP"
	f, unit := float64(v)/1024, 0
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	return fmt.Sprintf("%.1f %ciB", f, units[unit])
}

// remedy is one that is not wanted when all is well.
func (i Item) remedy(format string, args ...any) Item {
	if i.Verdict != OK {
		i.Remedy = fmt.Sprintf(format, args...)
	}
	return i
}

// sysctl judges a sysctl that should be at least wanted.
func sysctl(name string, v Value, wanted int64, reason string) Item {
	i := Item{Name: name, Found: v.String(), Wanted: Value(wanted).String(), Verdict: v.verdict(wanted), Reason: reason}
	return i.set(strconv.FormatInt(max(int64(v), wanted), 10))
}

// set gives the item a value for sysctl.d and makes that the remedy.
func (i Item) set(value string) Item {
	i.value = value
	if strings.Contains(value, " ") {
		value = strconv.Quote(value)
	}
	return i.remedy("sysctl -w %s=%s", i.Name, value)
}

func (m TCPMemory) String() string {
	if !m.known() {
		return Unknown.String()
	}
	return fmt.Sprintf("%d %d %d", m.Min, m.Default, m.Max)
}

// sysctlTriple judges one whose three values should each be at least wanted.
func sysctlTriple(name string, m, wanted TCPMemory, reason string) Item {
	i := Item{Name: name, Found: m.String(), Wanted: wanted.String(), Verdict: OK, Reason: reason}
	switch {
	case !m.known():
		i.Verdict = NotKnown
	case m.Min < wanted.Min || m.Default < wanted.Default || m.Max < wanted.Max:
		i.Verdict = Low
	}
	// A value that is there may be above the next one that is wanted.
	lo := max(m.Min, wanted.Min)
	mid := max(m.Default, wanted.Default, lo)
	return i.set(TCPMemory{lo, mid, max(m.Max, wanted.Max, mid)}.String())
}
