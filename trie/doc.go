// Package trie holds the broker's two topic indexes: Index, from topic
// filters to subscriptions, and Topics, from topic names to retained messages.
//
// Both are tries of topic levels. A level tree stands under each mountpoint,
// and the trees are spread over shards by mountpoint and first level; the
// filters that begin with a wildcard have one shard of their own, which topics
// beginning with '$' never visit [MQTT-4.7.2-1]. Names and filters are compared
// byte by byte [MQTT-4.7.3-4] and taken to be valid; checking them is the
// caller's part.
//
// # Concurrency
//
// Everything may be called from any goroutine. Writers of one shard take turns
// on its mutex. Readers take no lock and wait for nobody: they follow atomic
// pointers. A reader meets everything that is there throughout its walk, each
// once, and may or may not meet what comes or goes meanwhile. A Memo, which
// remembers what topics have matched, belongs to one goroutine.
//
// # Structure
//
// The children of a node form one singly linked list, sorted by the hash of
// their level. Beyond a handful, a table of pointers into that list (table.go)
// finds the place of a hash in constant time; this is the split-ordered list of
// Shalev and Shavit, with a mutex for writers and so without dummy nodes. Since
// the table only ever points into the list, growing or shrinking it moves no
// node and hides none from a reader, and a node with few children pays for no
// table.
//
// A removed node keeps its own links, so a reader that stands on it walks on
// into the list. No removed node is ever linked again.
//
// All walks climb by parent pointers instead of keeping a stack: depth costs
// neither recursion nor allocation, and a walk enters each node at most once.
package trie
