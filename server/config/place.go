package config

// Place is where a node is found.
type Place struct {
	DataDir, NodeName string
}

// Locate tells where the node of a configuration is, even when the node could
// not start with it any more: err is why. A file that cannot be read at all
// tells no DataDir.
func Locate(path string, overrides []string, dirs Dirs) (Place, error) {
	l, err := Load(path, overrides, dirs)
	if err == nil {
		return Place{l.Config.DataDir, l.Config.NodeName}, nil
	}
	l = &Loaded{settings: map[string]Setting{}, dirs: dirs}
	if _, unread := readFile(path); unread != nil {
		return Place{NodeName: l.value("nodename")}, err
	}
	p := &parser{}
	p.file(path)
	settings, _ := overriding(overrides)
	_ = l.take(append(p.settings, settings...))
	return Place{l.path(l.value("platform_data_dir")), l.value("nodename")}, err
}
