package admin

import "math/rand/v2"

// reservoir keeps a random sample of the clients that it is offered, each with
// the same chance.
type reservoir struct {
	limit int
	seen  int
	kept  []Client
}

func (r *reservoir) offer(c Client) {
	r.seen++
	if len(r.kept) < r.limit {
		r.kept = append(r.kept, c)
		return
	}
	if r.limit == 0 {
		return
	}
	if i := rand.IntN(r.seen); i < r.limit {
		r.kept[i] = c
	}
}
