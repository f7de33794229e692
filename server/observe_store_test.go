package server

import (
	"log/slog"
	"testing"

	"vernemq/queue/store"
	"vernemq/queue/store/disk"
)

// observedStore is a store in memory that has the figures of one on disk.
type observedStore struct {
	store.Store
	disk *disk.Store
}

func (s observedStore) Metrics() disk.Metrics { return s.disk.Metrics() }
func (s observedStore) Health() error         { return s.disk.Health() }

// TestStoreMetrics commits to a store on disk and looks for it in the metrics.
func TestStoreMetrics(t *testing.T) {
	d, err := disk.Open(disk.Options{Dir: t.TempDir(), Node: "n@h", Sync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	b, err := New(testConfig(1), observedStore{store.NewMemory(1), d}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop(t.Context())
	const commits = 5
	for range commits {
		batch, done := d.NewBatch(), make(chan error, 1)
		batch.PutSession(store.Client{Key: 1, ID: "x"}, &disk.Session{})
		d.Commit(batch, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	v := values(b)
	if v["store_commit_microseconds"] != commits || v["store_commits"] != commits || v["store_records"] < commits || v["store_disk_bytes"] == 0 || v["store_failed"] != 0 {
		t.Errorf("%d %d %d %d %d", v["store_commit_microseconds"], v["store_commits"], v["store_records"], v["store_disk_bytes"], v["store_failed"])
	}
}
