package queue

// strays are the messages that left the ring of a window without having been
// acknowledged, oldest first. A client that acknowledges only every other
// message can have tens of thousands, so a long list has an index.
type strays struct {
	list []Flight         // acknowledged ones are Done until the list is packed
	at   map[uint16]int32 // place in list by identifier; nil while the list is short
	live int              // not acknowledged
}

const straysIndexed = 16

// find gives the place of an identifier, -1 if it is not there.
func (s *strays) find(id uint16) int {
	if s == nil {
		return -1
	}
	if s.at != nil {
		if i, ok := s.at[id]; ok {
			return int(i)
		}
		return -1
	}
	for i := range s.list {
		if s.list[i].ID == id && s.list[i].State != Done {
			return i
		}
	}
	return -1
}

func (s *strays) add(x Flight) {
	s.list = append(s.list, x)
	s.live++
	switch {
	case s.at != nil:
		s.at[x.ID] = int32(len(s.list) - 1)
	case len(s.list) > straysIndexed:
		s.pack()
	}
}

// remove takes out the message at a place.
func (s *strays) remove(i int) {
	delete(s.at, s.list[i].ID)
	s.list[i] = Flight{}
	s.live--
	if len(s.list) > 2*s.live+straysIndexed {
		s.pack()
	}
}

// pack closes the gaps of the list and makes its index anew.
func (s *strays) pack() {
	list := make([]Flight, 0, s.live+s.live/2)
	for x := range s.all {
		list = append(list, *x)
	}
	s.list, s.at = list, nil
	if len(list) > straysIndexed {
		s.at = make(map[uint16]int32, 2*len(list))
		for i := range list {
			s.at[list[i].ID] = int32(i)
		}
	}
}

func (s *strays) all(yield func(*Flight) bool) {
	for i := range s.list {
		if x := &s.list[i]; x.State != Done && !yield(x) {
			return
		}
	}
}
