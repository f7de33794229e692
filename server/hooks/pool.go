package hooks

import "sync"

// pool runs the slow calls of one plugin: so many at a time, those with the
// same key one after the other, and the keys take turns. A goroutine lives as
// long as there is something to do.
//
// Questions, whose clients wait, have room of their own, and a quarter of the
// goroutines where there are several: a plugin that is slow to take notice may
// still be quick to answer.
type pool struct {
	done sync.WaitGroup

	mu      sync.Mutex
	workers int              // at most
	limit   int              // calls of a kind that wait
	bytes   int              // of a kind that wait
	lanes   map[uint64]*lane // those with calls that wait or run
	ready   [2][]*lane       // those that nobody works on, in their turn, by the kind of their first call
	turn    uint64           // given last
	running int
	active  [2]int // calls that run, by kind
	waiting [2]int // by kind
	size    [2]int // bytes that wait
	closed  bool
}

// kind of a call.
type kind byte

const (
	question kind = iota
	notice
)

// lane holds the calls with one key.
type lane struct {
	key  uint64 // 0: it is alone
	turn uint64
	jobs []job
}

type job struct {
	kind kind
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
	for range len(p.ready[question]) + len(p.ready[notice]) {
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
	waiting, size := &p.waiting[j.kind], &p.size[j.kind]
	if p.closed || *waiting >= p.limit || *size+j.size > p.bytes && *waiting > 0 {
		return false
	}
	*waiting++
	*size += j.size
	if l := p.lanes[key]; l != nil {
		l.jobs = append(l.jobs, j)
		return true
	}
	l := &lane{key: key, jobs: []job{j}}
	if key != 0 {
		p.lanes[key] = l
	}
	p.enter(l)
	if j.kind == question || p.mayTell() {
		p.help()
	}
	return true
}

// enter puts a lane behind those that nobody works on. Under mu.
func (p *pool) enter(l *lane) {
	p.turn++
	l.turn = p.turn
	k := l.jobs[0].kind
	p.ready[k] = append(p.ready[k], l)
}

// mayTell tells that there is a notice for which a goroutine may be used.
// Under mu.
func (p *pool) mayTell() bool {
	return len(p.ready[notice]) > 0 && p.active[notice] < max(p.workers-max(p.workers/4, 1), 1)
}

// next takes the lane whose turn it is, nil when there is none. Under mu.
func (p *pool) next() *lane {
	k := question
	if p.mayTell() && (len(p.ready[question]) == 0 || p.ready[notice][0].turn < p.ready[question][0].turn) {
		k = notice
	}
	if len(p.ready[k]) == 0 {
		return nil
	}
	l := p.ready[k][0]
	p.ready[k][0] = nil
	p.ready[k] = p.ready[k][1:]
	return l
}

// work makes calls until none is left, or fewer may be made at once.
func (p *pool) work() {
	defer p.done.Done()
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.running <= p.workers {
		l := p.next()
		if l == nil {
			break
		}
		j := l.jobs[0]
		l.jobs[0] = job{}
		l.jobs = l.jobs[1:]
		p.waiting[j.kind]--
		p.size[j.kind] -= j.size
		p.active[j.kind]++
		p.mu.Unlock()
		j.run()
		p.mu.Lock()
		p.active[j.kind]--
		if len(l.jobs) > 0 {
			p.enter(l)
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
	return p.waiting[question] + p.waiting[notice], p.running
}
