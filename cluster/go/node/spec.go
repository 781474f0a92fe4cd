package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"
)

// Spec says what a machine consists of. Paths in Mounts.Source and InitLog are the host's; all others are the machine's.
type Spec struct {
	Hostname    string            `json:"hostname"`
	InitLog     string            `json:"init_log"`
	CgroupProcs []string          `json:"cgroup_procs"` // cgroup.procs files to join, one a hierarchy
	Root        string            `json:"root"`         // an empty folder of the host: the machine's / is mounted there, unseen by the host
	Mounts      []Mount           `json:"mounts"`       // in order
	Symlinks    map[string]string `json:"symlinks"`
	Files       map[string]string `json:"files"`
	WaitAddress string            `json:"wait_address"` // services start once the machine has this address
	Env         map[string]string `json:"env"`
	Services    []Service         `json:"services"`
}

// Mount is one line of the machine's mount table. Kind "bind" takes a file or folder of the host, "loop" an image file
// of the host, all else is the kernel's name of a filesystem.
type Mount struct {
	Kind     string `json:"kind"`
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"read_only"`
	Data     string `json:"data"`
}

// Service is a process that the init keeps running; a one-shot is repeated until it succeeds, before the next one starts.
type Service struct {
	Name         string   `json:"name"`
	Argv         []string `json:"argv"`
	Log          string   `json:"log"`
	OneShot      bool     `json:"one_shot"`
	RestartAfter Seconds  `json:"restart_after_s"`
}

// Seconds is a duration, a JSON number of seconds.
type Seconds time.Duration

// UnmarshalJSON reads a number of seconds.
func (s *Seconds) UnmarshalJSON(text []byte) error {
	var number float64
	if err := json.Unmarshal(text, &number); err != nil {
		return err
	}
	*s = Seconds(number * float64(time.Second))
	return nil
}

func readSpec(path string) (*Spec, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	spec := &Spec{}
	if err := json.Unmarshal(text, spec); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return spec, nil
}

func (s *Spec) environment() []string {
	env := []string{}
	for name, value := range s.Env {
		env = append(env, name+"="+value)
	}
	return env
}
