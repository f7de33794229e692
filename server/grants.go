package server

import (
	"bytes"
	"encoding/binary"

	"vernemq/server/hooks"
	"vernemq/server/session"
)

// publishChain are the plugins of auth_on_publish.
type publishChain = hooks.Chain[hooks.Message, hooks.PublishModifiers]

// grants remembers which client of a loop may publish to which topic, as long
// as the plugin that has allowed it would say the same. To look at a rule costs
// several times as much.
//
// It has a place for each hash. What is in one is compared as a whole, by
// pointers that it holds, so that nothing else can come to have them.
type grants []grant

type grant struct {
	session *session.Session
	user    *string
	chain   *publishChain
	epoch   *hooks.Epoch
	topic   []byte
}

const (
	grantBits  = 12
	grantTopic = 256 // bytes of the longest topic that is remembered
)

// place is where a grant would be.
func (g grants) place(s *session.Session, topic []byte) *grant {
	h := s.Key ^ uint64(len(topic))
	if n := len(topic); n >= 8 {
		h ^= binary.LittleEndian.Uint64(topic[n-8:])
	} else {
		for _, c := range topic {
			h = h<<8 ^ uint64(c)
		}
	}
	return &g[h*0x9E3779B97F4A7C15>>(64-grantBits)]
}

func (g grants) has(s *session.Session, chain *publishChain, topic []byte) bool {
	if g == nil {
		return false
	}
	x := g.place(s, topic)
	return x.session == s && x.chain == chain && x.user == s.User && bytes.Equal(x.topic, topic) && !x.epoch.Over()
}

func (g *grants) add(s *session.Session, chain *publishChain, topic []byte, e *hooks.Epoch) {
	if len(topic) > grantTopic {
		return
	}
	if *g == nil {
		*g = make(grants, 1<<grantBits)
	}
	x := g.place(s, topic)
	*x = grant{s, s.User, chain, e, append(x.topic[:0], topic...)}
}
