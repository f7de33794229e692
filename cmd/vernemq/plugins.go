package main

// Plugins that are compiled in; plugins.NAME = on enables one.
import (
	_ "vernemq/server/plugin/scram"
)
