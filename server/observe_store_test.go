package server

import (
	"testing"

	"vernemq/queue/store"
)

// TestStoreMetrics commits to the store and looks for it in the metrics.
func TestStoreMetrics(t *testing.T) {
	b := startBroker(t, testConfig(1))
	before := values(b)
	const commits = 5
	for range commits {
		batch, done := b.store.NewBatch(), make(chan error, 1)
		batch.PutSession(store.Client{Key: 1, ID: "x"}, &store.Session{})
		b.store.Commit(batch, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	v := values(b)
	for name, least := range map[string]uint64{
		"store_commit_microseconds": commits, "store_commits": commits, "store_records": commits, "store_log_bytes": 1, "store_disk_bytes": 1,
	} {
		if v[name] < before[name]+least && name != "store_disk_bytes" || v[name] == 0 {
			t.Errorf("%s is %d, was %d", name, v[name], before[name])
		}
	}
	if v["store_failed"] != 0 {
		t.Error("the store has failed")
	}
}
