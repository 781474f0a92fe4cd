// nsexec stands in the place of Chaos Mesh's program of that name, which comes as a binary of its releases alone. The daemon calls it as
// `nsexec -n /proc/PID/ns/net -- COMMAND ARGUMENT…`; util-linux's nsenter does the same. Networks alone: what else upstream's can enter is
// refused by name, so that no command ever runs somewhere else than it was meant to.
package main

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

const nsenter = "/usr/bin/nsenter"

// translated returns the arguments of nsenter for those of nsexec.
func translated(argv []string) ([]string, error) {
	if len(argv) < 4 || argv[0] != "-n" || argv[2] != "--" {
		return nil, fmt.Errorf("nsexec: called with %q; this stand-in enters networks alone: -n NETWORK -- COMMAND", strings.Join(argv, " "))
	}
	return append([]string{nsenter, "--net=" + argv[1], "--"}, argv[3:]...), nil
}

func main() {
	argv, err := translated(os.Args[1:])
	if err == nil {
		err = syscall.Exec(nsenter, argv, os.Environ())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
