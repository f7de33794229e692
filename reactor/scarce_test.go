package reactor

const scarceEnv = "REACTOR_TEST_SCARCE"

func runScarce() int { return 0 }
