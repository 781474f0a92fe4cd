package main

import (
	"math/rand/v2"
	"sync"
	"syscall"
	"time"
)

// illness is what the disk has, until it is healed.
type illness struct {
	full    bool
	percent int
	delay   time.Duration

	mu     sync.Mutex
	random *rand.Rand

	healing sync.Once
	healed  chan struct{}
}

func (i *illness) heal() { i.healing.Do(func() { close(i.healed) }) }

func (i *illness) over() bool {
	select {
	case <-i.healed:
		return true
	default:
		return false
	}
}

// strike delays or fails one read, write or sync.
func (i *illness) strike() syscall.Errno {
	if i.over() {
		return 0
	}
	if i.delay > 0 {
		// not cut short by a signal to the caller: a disk's I/O is not either
		timer := time.NewTimer(i.delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-i.healed:
		}
	}
	if i.percent > 0 && i.drawn() < i.percent {
		return syscall.EIO
	}
	return 0
}

func (i *illness) drawn() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.random.IntN(100)
}

// noSpace fails what needs a new block or a new inode.
func (i *illness) noSpace() syscall.Errno {
	if i.full && !i.over() {
		return syscall.ENOSPC
	}
	return 0
}
