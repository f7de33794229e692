package logging

import (
	"strconv"
	"strings"
	"time"
)

// schedule is when a new file is begun: at an hour each day, of one weekday, or
// of one day of the month.
type schedule struct {
	hour    int
	weekday int // -1 = any
	day     int // of the month, 0 = any
}

// parseSchedule reads $D0, $W0D23 or $M1D0, as the configuration has checked
// it; ok is false for an empty one.
func parseSchedule(s string) (x schedule, ok bool) {
	x.weekday = -1
	s, ok = strings.CutPrefix(s, "$")
	if !ok {
		return x, false
	}
	before, hour, _ := strings.Cut(s, "D")
	x.hour, _ = strconv.Atoi(hour)
	if n, found := strings.CutPrefix(before, "W"); found {
		x.weekday, _ = strconv.Atoi(n)
	} else if n, found := strings.CutPrefix(before, "M"); found {
		x.day, _ = strconv.Atoi(n)
	}
	return x, true
}

// next is the first such time after t, in the same place. A month without the
// day has none.
func (x schedule) next(t time.Time) time.Time {
	at := time.Date(t.Year(), t.Month(), t.Day(), x.hour, 0, 0, 0, t.Location())
	for !at.After(t) || x.weekday >= 0 && int(at.Weekday()) != x.weekday || x.day > 0 && at.Day() != x.day {
		at = time.Date(at.Year(), at.Month(), at.Day()+1, x.hour, 0, 0, 0, t.Location())
	}
	return at
}
