package tuning

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"sync"
)

// What vmq-bench calibrate wrote on the machines that the files name.
var (
	//go:embed measured/tcp.json
	measuredTCP []byte
	//go:embed measured/tls.json
	measuredTLS []byte
)

// Measured is what connections and messages cost over TCP or over TLS, as
// vmq-bench calibrate writes it. It is the one source of such figures: the
// formulas of this package, vmq-bench plan without a calibration of its own,
// and the tables of the documents take them from here.
func Measured(tls bool) []byte {
	if tls {
		return measuredTLS
	}
	return measuredTCP
}

// cost is that of one connection.
type cost struct {
	broker  int64 // bytes of an idle one with a subscription, twice for the garbage collector
	kernel  int64 // bytes of its socket, file and place in epoll
	connect int64 // nanoseconds of processor time
}

var (
	plainCost  = sync.OnceValue(func() cost { return costOf(measuredTCP) })
	secureCost = sync.OnceValue(func() cost { return costOf(measuredTLS) })
)

func costOf(file []byte) cost {
	var m struct{ Connection, Subscription, Kernel, Connect struct{ Value float64 } }
	if err := json.Unmarshal(file, &m); err != nil {
		panic(fmt.Sprintf("what was measured: %v", err)) // a test reads both
	}
	return cost{
		broker:  int64(math.Ceil(2 * (m.Connection.Value + m.Subscription.Value))),
		kernel:  int64(math.Ceil(m.Kernel.Value)),
		connect: int64(math.Ceil(1000 * m.Connect.Value)),
	}
}
