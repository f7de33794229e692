package main

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"time"

	"vernemq/queue/store/disk"
	"vernemq/server/config"
	"vernemq/tuning"
)

// Shares of the store's memory. Memtables are what is written and not yet in
// tables, of which there may be four; the cache is of what was read.
const (
	leastMemTable, mostMemTable = 1 << 20, 64 << 20
	leastCache, mostCache       = 1 << 20, 16 << 20
)

func openStore(cfg *config.Config, log *slog.Logger) (*disk.Store, error) {
	start := time.Now()
	memory := storeMemory(cfg)
	o := disk.Options{
		Dir: cfg.StoreDir, Node: cfg.NodeName, Sync: cfg.StoreSync, Repair: cfg.StoreRepair, Log: log,
		MemTable: uint64(min(max(memory/16, leastMemTable), mostMemTable)),
		Cache:    min(max(memory/4, leastCache), mostCache),
	}
	st, err := disk.Open(o)
	if err != nil {
		return nil, advise(cfg, err, err)
	}
	log.Info("store opened", "dir", cfg.StoreDir, "sync", cfg.StoreSync, "memtable_mib", o.MemTable>>20, "cache_mib", o.Cache>>20,
		"ms", time.Since(start).Milliseconds())
	return st, nil
}

// advise adds to an error how to go on, if it comes of damage.
func advise(cfg *config.Config, err, damage error) error {
	if !errors.Is(damage, disk.ErrDamaged) || cfg.StoreRepair {
		return err
	}
	return fmt.Errorf("%w (store %s is damaged: restore a checkpoint, or go on with what can be read by store.on_damage = repair)", err, cfg.StoreDir)
}

// storeMemory is the most memory in bytes that the store may use.
func storeMemory(cfg *config.Config) int64 {
	if cfg.StoreMemory > 0 {
		return cfg.StoreMemory
	}
	total := int64(math.MaxInt64)
	if h, err := tuning.Read(os.DirFS("/"), "self"); err == nil {
		for _, m := range []tuning.Value{h.Memory, h.CgroupMemory} {
			if m > 0 && int64(m) < total {
				total = int64(m)
			}
		}
	}
	if total == math.MaxInt64 {
		total = 1 << 30
	}
	return total / 100 * int64(cfg.StoreMemoryPercent)
}
