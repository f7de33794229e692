package store

import "vernemq/queue"

// Memory is a Store that lives as long as the process.
type Memory struct{ shards []Shard }

// NewMemory makes a store for a number of loops.
func NewMemory(loops int) *Memory {
	m := &Memory{shards: make([]Shard, loops)}
	for i := range m.shards {
		m.shards[i] = &memoryShard{backlogs: map[memoryKey]*queue.FIFO{}}
	}
	return m
}

// Shard gives the shard of a loop.
func (m *Memory) Shard(loop int) Shard { return m.shards[loop] }

// Close has nothing to do.
func (m *Memory) Close() error { return nil }

type memoryKey struct{ mountpoint, id string }

type memoryShard struct{ backlogs map[memoryKey]*queue.FIFO }

func (s *memoryShard) Append(c Client, e queue.Entry) {
	k := memoryKey{c.Mountpoint, c.ID}
	q := s.backlogs[k]
	if q == nil {
		q = new(queue.FIFO)
		s.backlogs[k] = q
	}
	q.Push(e)
}

func (s *memoryShard) First(c Client) (queue.Entry, bool) {
	return s.take(c, (*queue.FIFO).Pop)
}

func (s *memoryShard) Last(c Client) (queue.Entry, bool) {
	return s.take(c, (*queue.FIFO).PopBack)
}

func (s *memoryShard) take(c Client, pop func(*queue.FIFO) queue.Entry) (queue.Entry, bool) {
	k := memoryKey{c.Mountpoint, c.ID}
	q := s.backlogs[k]
	if q == nil {
		return queue.Entry{}, false
	}
	e := pop(q)
	if q.Len() == 0 {
		delete(s.backlogs, k)
	}
	return e, true
}

func (s *memoryShard) Len(c Client) int {
	if q := s.backlogs[memoryKey{c.Mountpoint, c.ID}]; q != nil {
		return q.Len()
	}
	return 0
}

func (s *memoryShard) Expire(c Client, now int64) (n int) {
	k := memoryKey{c.Mountpoint, c.ID}
	q := s.backlogs[k]
	for q != nil && q.Len() > 0 && q.Front().Msg.Expired(now) {
		q.Pop().Msg.Release()
		n++
	}
	if n > 0 && q.Len() == 0 {
		delete(s.backlogs, k)
	}
	return n
}

func (s *memoryShard) Drop(c Client, each func(queue.Entry)) int {
	k := memoryKey{c.Mountpoint, c.ID}
	q := s.backlogs[k]
	if q == nil {
		return 0
	}
	delete(s.backlogs, k)
	if each != nil {
		for e := range q.All {
			each(e)
		}
	}
	return q.Clear()
}
