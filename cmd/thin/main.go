package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	_ "net/http/pprof"
	"os"
	"os/signal"
	"strings"
	"time"

	"vernemq/queue/store"
	"vernemq/server"
	"vernemq/server/config"
)

func main() {
	loops := flag.Int("loops", 1, "")
	port := flag.Int("port", 1883, "")
	pp := flag.String("pprof", "", "")
	flag.Parse()
	cfg := &config.Config{MaxClientIDSize: 100, RetryInterval: 20 * time.Second, MaxLastWillDelay: 1<<32 - 1, MaxInflightMessages: 1000, MaxOnlineMessages: 100000, MaxOfflineMessages: 100000,
		TopicMaxDepth: 10, ReceiveMaxClient: 65535, ReceiveMaxBroker: 65535, ConnectTimeout: 5 * time.Second, Loops: *loops, LobbySize: 4096, SendTimeout: 30 * time.Second,
		Listeners: []config.Listener{{Name: "d", Network: "tcp4", Address: fmt.Sprintf("127.0.0.1:%d", *port), AllowedVersions: []byte{3, 4, 5, 131, 132}, AllowAnonymous: true, NoDelay: true}}}
	b, err := server.New(cfg, store.NewMemory(*loops), slog.New(slog.NewTextHandler(os.Stdout, nil)))
	if err == nil {
		err = b.Listen()
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	if *pp != "" {
		go http.ListenAndServe(*pp, nil)
	}
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt)
	<-c
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(b.Stop(ctx))
	for _, v := range b.Metrics() {
		if v.Count > 0 {
			fmt.Println(strings.TrimSpace(fmt.Sprint(v)))
		}
	}
}
