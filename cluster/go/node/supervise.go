package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

const oneShotPause = 50 * time.Millisecond

// supervisor starts services, restarts those that end, and reaps everything: as the first process of its pid namespace
// it inherits every orphan (a container's shim, for one).
type supervisor struct {
	mutex   sync.Mutex // held while a process starts: its end cannot be seen before its start was noted
	waiting map[int]chan syscall.WaitStatus
}

// supervise starts the services in order and never returns while the machine has power.
func supervise(services []Service) error {
	s := &supervisor{waiting: map[int]chan syscall.WaitStatus{}}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go s.reap()
	go func() {
		for _, service := range services {
			if service.OneShot {
				s.untilSuccess(service)
			} else {
				go s.forever(service)
			}
		}
	}()
	<-stop
	return nil
}

func (s *supervisor) reap() {
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	for {
		s.reapReady()
		select {
		case <-children:
		case <-time.After(time.Second): // SIGCHLD that came between two waits is not queued twice
		}
	}
}

func (s *supervisor) reapReady() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for {
		var status syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
		if err != nil || pid <= 0 {
			return
		}
		if done, ours := s.waiting[pid]; ours {
			delete(s.waiting, pid)
			done <- status
		}
	}
}

func (s *supervisor) start(service Service) (chan syscall.WaitStatus, error) {
	if err := os.MkdirAll(filepath.Dir(service.Log), 0o755); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(service.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	path, err := exec.LookPath(service.Argv[0])
	if err != nil {
		return nil, err
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	process, err := os.StartProcess(path, service.Argv, &os.ProcAttr{Dir: "/", Env: os.Environ(), Files: []*os.File{nil, log, log}})
	if err != nil {
		return nil, err
	}
	done := make(chan syscall.WaitStatus, 1)
	s.waiting[process.Pid] = done
	return done, nil
}

func (s *supervisor) once(service Service) bool {
	done, err := s.start(service)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s %s: %v\n", time.Now().Format(time.RFC3339), service.Name, err)
		return false
	}
	status := <-done
	if !service.OneShot {
		fmt.Fprintf(os.Stderr, "%s %s ended: %s\n", time.Now().Format(time.RFC3339), service.Name, describe(status))
	}
	return status.Exited() && status.ExitStatus() == 0
}

func describe(status syscall.WaitStatus) string {
	if status.Signaled() {
		return "signal " + status.Signal().String()
	}
	return fmt.Sprintf("exit code %d", status.ExitStatus())
}

func (s *supervisor) untilSuccess(service Service) {
	for !s.once(service) {
		time.Sleep(oneShotPause)
	}
}

func (s *supervisor) forever(service Service) {
	for {
		s.once(service)
		time.Sleep(time.Duration(service.RestartAfter))
	}
}
