package hooks

import "sync"

// pool runs the slow calls of one plugin: so many at a time, those with the
// same key one after the other, and the keys take turns. A goroutine lives as
// long as there is something to do.
type pool struct {
	done sync.WaitGroup

	mu      sync.Mutex
	workers int              // at most
	limit   int              // calls that wait
	bytes   int              // that wait
	lanes   map[uint64]*lane // those with calls that wait or run
	ready   []*lane          // those that nobody works on, in their turn
	running int
	waiting int
	size    int // bytes that wait
	closed  bool
}

// lane holds the calls with one key.
type lane struct {
	key  uint64 // 0: it is alone
	jobs []job
}

type job struct {
	run  func()
	size int
}

func newPool(b Bounds) *pool {
	return &pool{workers: b.Workers, limit: b.Waiting, bytes: b.Bytes, lanes: map[uint64]*lane{}}
}

// bound takes other bounds, which count for what waits as well.
func (p *pool) bound(b Bounds) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.workers, p.limit, p.bytes = b.Workers, b.Waiting, b.Bytes
	for range len(p.ready) {
		p.help()
	}
}

// help starts another goroutine if there may be one more. Under mu.
func (p *pool) help() {
	if p.running < p.workers {
		p.running++
		p.done.Add(1)
		go p.work()
	}
}

// submit has a call made. It tells whether there was room for it. A key of 0 is
// like no other.
func (p *pool) submit(key uint64, j job) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.waiting >= p.limit || p.size+j.size > p.bytes && p.waiting > 0 {
		return false
	}
	p.waiting++
	p.size += j.size
	if l := p.lanes[key]; l != nil {
		l.jobs = append(l.jobs, j)
		return true
	}
	l := &lane{key: key, jobs: []job{j}}
	if key != 0 {
		p.lanes[key] = l
	}
	p.ready = append(p.ready, l)
	p.help()
	return true
}

// work makes calls until none is left, or fewer may be made at once.
func (p *pool) work() {
	defer p.done.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.ready) > 0 && p.running <= p.workers {
		l := p.ready[0]
		p.ready[0] = nil
		p.ready = p.ready[1:]
		j := l.jobs[0]
		l.jobs[0] = job{}
		l.jobs = l.jobs[1:]
		p.waiting--
		p.size -= j.size
		p.mu.Unlock()
		j.run()
		p.mu.Lock()
		if len(l.jobs) > 0 {
			p.ready = append(p.ready, l)
		} else if l.key != 0 {
			delete(p.lanes, l.key)
		}
	}
	p.running--
}

// close takes no more calls.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
}

// load is how many calls wait and run.
func (p *pool) load() (waiting, running int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting, p.running
}
