package server

import (
	"context"
	"errors"
	"strings"

	"vernemq/server/admin"
	"vernemq/server/metrics"
	"vernemq/server/pki"
)

// listeners are the listeners to an operator.
type listeners struct{ *Broker }

// List shows those that are there.
func (b listeners) List() (out []admin.Listener) {
	for _, i := range b.ShowListeners() {
		c := i.Config
		x := admin.Listener{Type: i.Type(), Suspended: i.Suspended, Address: i.Address, Port: i.Port, Mountpoint: c.Mountpoint,
			MaxConnections: c.MaxConnections, Active: i.Active, All: int64(i.Total),
			MQTT: &admin.MQTTListener{Versions: c.AllowedVersions, Anonymous: c.AnonymousOverride}}
		if t := c.TLS; t != nil {
			x.TLS = &admin.TLSListener{Version: t.Versions(), CertFile: t.CertFile, CAFile: t.CAFile, KeyFile: t.KeyFile,
				RequireCertificate: t.RequireCertificate, IdentityAs: t.UseIdentity}
		}
		out = append(out, x)
	}
	return out
}

// transports are those of listeners by VerneMQ's words.
var transports = map[string]string{"mqtt": "tcp", "mqtts": "ssl", "mqttws": "ws", "mqttwss": "wss"}

// Start opens a listener, until the process ends or it is stopped.
func (b listeners) Start(_ context.Context, o *admin.ListenerOptions) error {
	name, place, options := o.Settings()
	c, err := b.Config().NewListener(transports[o.Transport], name, place, options)
	if err != nil {
		return err
	}
	err = b.StartListener(&c)
	if errors.Is(err, ErrListenerExists) {
		return admin.AlreadyStarted(o.Port)
	}
	if err != nil {
		return errors.New(Reason(err))
	}
	return nil
}

// Stop stops accepting, or ends a listener with its sessions.
func (b listeners) Stop(ctx context.Context, address string, port int, kill bool) error {
	return b.SuspendListener(ctx, address, port, kill)
}

// Restart accepts again.
func (b listeners) Restart(_ context.Context, address string, port int) error {
	return b.ResumeListener(address, port)
}

// Delete ends a listener with its sessions.
func (b listeners) Delete(ctx context.Context, address string, port int) error {
	return b.DeleteListener(ctx, address, port)
}

// certificates are the certificates of the TLS listeners to an operator.
type certificates struct{ *Broker }

func (b certificates) Certificates() (out []admin.Certificate) {
	for _, s := range b.TLSSources() {
		x := admin.Certificate{File: s.Options().CertFile}
		if leaf := s.Leaf(); leaf != nil {
			x.NotBefore, x.NotAfter = leaf.NotBefore, leaf.NotAfter
			x.CN, x.Issuer = pki.CommonName(leaf), leaf.Issuer.CommonName
			x.SAN = strings.Join(leaf.DNSNames, ", ")
		}
		out = append(out, x)
	}
	return out
}

func (b certificates) Reload(context.Context) error { return b.ReloadTLS() }

// counters are the metrics to an operator.
type counters struct{ *Broker }

// Each yields the metrics.
func (c counters) Each(yield func(*admin.Metric) bool) {
	for _, f := range c.Broker.Metrics().Read() {
		for i := range f.Series {
			if !yield(metricOf(&f, &f.Series[i])) {
				return
			}
		}
	}
}

func metricOf(f *metrics.Metric, s *metrics.Series) *admin.Metric {
	m := &admin.Metric{Kind: string(f.Type), Name: f.Name, Description: f.Help, Value: int64(s.Value)}
	if len(s.Labels) > 0 {
		m.Labels = map[string]string{}
		for _, l := range s.Labels {
			m.Labels[l.Key] = l.Value
		}
	}
	if d := s.Distribution; d != nil {
		h := &admin.Histogram{Count: int64(d.Count()), Sum: int64(d.Sum)}
		below := int64(0)
		for i, bound := range d.Bounds {
			below += int64(d.Counts[i])
			h.Buckets = append(h.Buckets, admin.Bucket{Bound: int64(bound), Count: below})
		}
		m.Histogram = h
	}
	return m
}

// Reset has the counters begin at 0.
func (c counters) Reset() { c.Broker.Metrics().Reset() }
