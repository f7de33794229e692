package session

import (
	"vernemq/codec"
	"vernemq/queue"
)

// fakeGate allows everything.
type fakeGate struct{}

func (fakeGate) AuthPublish(*Session, *queue.Publication, codec.Properties) *Verdict { return nil }
func (fakeGate) AuthSubscribe(*Session, *codec.Subscribe) *Verdict                   { return nil }
func (fakeGate) Unsubscribing(*Session, *codec.Unsubscribe) *Verdict                 { return nil }
func (fakeGate) Authenticate(*Session, *codec.Auth) *Verdict                         { return nil }

func (fakeGate) Delivering(_ *Session, p *queue.Publication, _ queue.Entry) *queue.Publication {
	return p
}

func (fakeGate) Subscribed(*Session, codec.Filters, []byte, codec.Properties) {}
func (fakeGate) Unsubscribed(*Session, codec.Filters)                         {}
func (fakeGate) Kept(*Session, *queue.Publication, queue.Entry)               {}
func (fakeGate) Lost(*Session, Loss)                                          {}
func (fakeGate) Left(*Session, Departure)                                     {}
