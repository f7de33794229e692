package admin

import (
	"context"
	"errors"
	"slices"
	"strings"

	"vernemq/server/admin/output"
	"vernemq/server/admin/ql"
)

// table is something that a query selects from, with rows of type R.
type table[R any] struct {
	columns ql.Columns[R]
	all     []string // the fields of *
	// each yields the rows that a query needs.
	each func(ctx context.Context, fields []string, where *ql.Expr, yield func(R) bool) error
}

const (
	defaultLimit = 100
	// mostOrdered is the largest limit of a query that sorts: its rows are kept.
	mostOrdered = 10000
)

// run answers with the rows that a query selects. after lets only rows through
// that come after a value in the order of q.OrderBy; empty for all.
func (t *table[R]) run(ctx context.Context, c *Call, q *ql.Query, after string) error {
	fields := q.Fields
	if fields == nil {
		fields = t.all
	}
	for _, f := range append(slices.Clone(fields), q.OrderBy) {
		if _, ok := t.columns[f]; !ok && f != "" {
			return unreadable("Invalid key: %q", f)
		}
	}
	match, err := t.columns.Compile(q.Where)
	if err != nil {
		return refuseCondition(err)
	}
	if q.Limit < 0 {
		q.Limit = defaultLimit
	}
	if err := c.Out.Table(fields...); err != nil || q.Limit == 0 || q.RowTimeout == 0 {
		return err
	}
	s := &selection[R]{out: c.Out, limit: q.Limit, match: match}
	for _, f := range fields {
		s.columns = append(s.columns, t.columns[f])
	}
	used := slices.Clone(fields)
	q.Where.Fields(func(f string) { used = append(used, f) })
	take := s.take
	if q.OrderBy != "" {
		if q.Limit > mostOrdered {
			return unreadable("Invalid value: %q for flag: limit", "more than 10000 ordered rows")
		}
		used = append(used, q.OrderBy)
		s.key = t.columns[q.OrderBy]
		s.after, s.bounded = s.key.Kind.Parse(after)
		s.bounded = s.bounded && after != ""
		take = s.collect
	}
	if err := t.each(ctx, used, q.Where, take); err != nil {
		return err
	}
	return errors.Join(s.err, s.finish())
}

func refuseCondition(err error) error {
	var field ql.UnknownField
	var bad *ql.BadPattern
	switch {
	case errors.As(err, &field):
		return unreadable("Invalid key: %q", string(field))
	case errors.As(err, &bad):
		return unreadable("Invalid value: %q for flag: %s", "~"+bad.Pattern, bad.Field)
	}
	return err
}

// selection takes rows as they come and lets those out that are asked for.
type selection[R any] struct {
	out     output.Output
	columns []ql.Column[R]
	match   ql.Predicate[R]
	limit   int
	count   int
	err     error
	line    []any // of a row that is written at once

	key     ql.Column[R] // of an ordered selection
	after   ql.Value
	bounded bool
	kept    []keptRow
}

type keptRow struct {
	key   ql.Value
	cells []any
}

func (s *selection[R]) cells(into []any, row R) []any {
	for _, col := range s.columns {
		into = append(into, col.Get(row).Cell(output.Undefined))
	}
	return into
}

// take writes a row at once.
func (s *selection[R]) take(row R) bool {
	if !s.match(row) {
		return true
	}
	s.line = s.cells(s.line[:0], row)
	s.err = s.out.Row(s.line...)
	s.count++
	return s.err == nil && s.count < s.limit
}

// collect keeps a row if it may be among the first ones of the order.
func (s *selection[R]) collect(row R) bool {
	if !s.match(row) {
		return true
	}
	key := s.key.Get(row)
	if s.bounded && ql.Compare(key, s.after) <= 0 {
		return true
	}
	s.kept = append(s.kept, keptRow{key, s.cells(nil, row)})
	if len(s.kept) >= 2*s.limit+1000 {
		s.sort()
	}
	return true
}

func (s *selection[R]) sort() {
	slices.SortStableFunc(s.kept, func(a, b keptRow) int { return ql.Compare(a.key, b.key) })
	if len(s.kept) > s.limit {
		clear(s.kept[s.limit:])
		s.kept = s.kept[:s.limit]
	}
}

// finish writes what was kept.
func (s *selection[R]) finish() error {
	s.sort()
	for _, r := range s.kept {
		if err := s.out.Row(r.cells...); err != nil {
			return err
		}
	}
	return nil
}

// queryOf makes a query of flags: a flag without value is a column, one with a
// value a condition, which is a pattern if it begins with ~.
func queryOf(c *Call, columns map[string]bool, defaults []string) *ql.Query {
	q := &ql.Query{Limit: c.Int("limit", defaultLimit), RowTimeout: c.Int("rowtimeout", -1)}
	q.Limit = max(q.Limit, 0)
	if c.Has("rowtimeout") {
		q.RowTimeout = max(q.RowTimeout, 0)
	}
	var conditions []*ql.Expr
	for _, f := range c.flags {
		switch {
		case !columns[f.Name]:
		case f.Bare:
			q.Fields = append(q.Fields, f.Name)
		default:
			conditions = append(conditions, condition(f))
		}
	}
	if q.Fields == nil {
		q.Fields = slices.Clone(defaults)
	}
	slices.Sort(q.Fields)
	q.Fields = slices.Compact(q.Fields)
	q.Where = ql.And(conditions...)
	q.OrderBy, _ = c.Flag("order-by")
	return q
}

func condition(f Arg) *ql.Expr {
	if pattern, ok := strings.CutPrefix(f.Value, "~"); ok {
		return &ql.Expr{Field: f.Name, Op: ql.Match, Value: pattern}
	}
	return &ql.Expr{Field: f.Name, Op: ql.Equal, Value: f.Value}
}

var rowFlags = []Param{
	{Name: "limit", Value: "<n>", Type: integerType, About: "Shows at most so many rows. Default: 100."},
	{Name: "rowtimeout", Value: "<ms>", Type: integerType, About: "Leaves out rows that take longer to find. 0 shows none."},
	{Name: "order-by", Value: "<field>", Type: Type{name: "field"}, About: "Sorts the rows; --limit may be at most 10000 then."},
	{Name: "after", Value: "<value>", Type: Type{name: "value"}, About: "With --order-by, shows only rows that come after this value: the next page."},
}
