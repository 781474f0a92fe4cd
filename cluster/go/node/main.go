// Command aftershock-node is the power button and the init of one machine of the embedded cluster.
//
//	aftershock-node boot SPEC   make the machine's namespaces, start its init there, print the init's process id
//	aftershock-node run SPEC    supervise the spec's services in the caller's own namespaces
//	aftershock-node pause       hold a pod's namespaces open (the sandbox container)
//	aftershock-runc ARGUMENTS   runc, with the files of a container's image
//
// A machine is a process tree in namespaces of its own: killing its init takes everything with it at once, as pulling
// the plug does. SPEC is a JSON file, rendered by cluster/machines/machine.py; spec.go has its fields.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "pause" || os.Args[0] == "/pause" {
		pause()
	}
	if filepath.Base(os.Args[0]) == runtimeName {
		fail("%v", runtime(os.Args[1:]))
	}
	if len(os.Args) != 3 {
		fail("usage: aftershock-node boot|run SPEC, or aftershock-node pause")
	}
	spec, err := readSpec(os.Args[2])
	if err != nil {
		fail("%v", err)
	}
	switch os.Args[1] {
	case "boot":
		err = boot(spec, os.Args[2])
	case "init":
		err = initialise(spec)
	case "run":
		err = runHere(spec)
	default:
		err = fmt.Errorf("unknown command %q", os.Args[1])
	}
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, values ...any) {
	fmt.Fprintf(os.Stderr, "aftershock-node: "+format+"\n", values...)
	os.Exit(1)
}

// boot clones the init into fresh namespaces and returns at once; the init is then a child of the host's init.
func boot(spec *Spec, path string) error {
	if err := joinCgroups(spec.CgroupProcs); err != nil {
		return err
	}
	log, err := os.OpenFile(spec.InitLog, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	process, err := os.StartProcess("/proc/self/exe", []string{"aftershock-node", "init", path}, &os.ProcAttr{
		Dir: "/", Env: spec.environment(), Files: []*os.File{nil, log, log},
		Sys: &syscall.SysProcAttr{
			Setsid:     true,
			Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		},
	})
	if err != nil {
		return fmt.Errorf("could not make the namespaces of %s: %w", spec.Hostname, err)
	}
	fmt.Println(process.Pid)
	return nil
}

func initialise(spec *Spec) error {
	if err := buildRoot(spec); err != nil {
		return err
	}
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return err
	}
	if err := awaitAddress(spec.WaitAddress); err != nil {
		return err
	}
	return supervise(spec.Services)
}

func runHere(spec *Spec) error {
	if err := joinCgroups(spec.CgroupProcs); err != nil {
		return err
	}
	return supervise(spec.Services)
}

func joinCgroups(procs []string) error {
	for _, file := range procs {
		if err := os.WriteFile(file, []byte("0"), 0); err != nil {
			return fmt.Errorf("could not join the cgroup of %s: %w", file, err)
		}
	}
	return nil
}

func pause() {
	stop, child := make(chan os.Signal, 1), make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	signal.Notify(child, syscall.SIGCHLD)
	for {
		select {
		case <-stop:
			os.Exit(0)
		case <-child:
			reapAll()
		}
	}
}

func reapAll() {
	for {
		if pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); pid <= 0 || err != nil {
			return
		}
	}
}
