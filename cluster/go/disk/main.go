// aftershock-disk serves the directory in which it is started as a FUSE file system whose disk is full, fails, or is slow.
//
//	aftershock-disk full|fail|slow -device N [-percent P] [-seed S] [-delay D]
//
// Whoever starts it has mounted it, wherever it is wanted, by the descriptor N of /dev/fuse. It says "serving" once it does. Its standard
// input is its leash: after any word, or at its end, everything passes through unharmed. It ends when the last mount and the last file that
// was opened through it are gone.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

const largestWrite = 1 << 20 // bytes at once; go-fuse's own default is 128 KiB

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "aftershock-disk: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	illness, device, err := parse(arguments)
	if err != nil {
		return err
	}
	root, err := fs.NewLoopbackRoot(".")
	if err != nil {
		return fmt.Errorf("the directory below can't be read: %w", err)
	}
	syscall.Umask(0) // the kernel has applied the caller's
	server, err := fs.Mount(fmt.Sprintf("/dev/fd/%d", device), wrapped(root, illness), options())
	if err != nil {
		return fmt.Errorf("/dev/fuse can't be served: %w", err)
	}
	go func() {
		_, _ = os.Stdin.Read(make([]byte, 1))
		illness.heal()
	}()
	fmt.Println("serving")
	server.Wait()
	return nil
}

func parse(arguments []string) (*illness, int, error) {
	if len(arguments) == 0 {
		return nil, 0, fmt.Errorf("expected full, fail or slow")
	}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	device := flags.Int("device", -1, "descriptor of /dev/fuse")
	percent := flags.Int("percent", 0, "fail: so many of 100 reads, writes and syncs")
	seed := flags.Uint64("seed", 0, "fail: of the choice which")
	delay := flags.Duration("delay", 0, "slow: before each read, write and sync")
	if err := flags.Parse(arguments[1:]); err != nil {
		return nil, 0, err
	}
	made := &illness{healed: make(chan struct{})}
	switch arguments[0] {
	case "full":
		made.full = true
	case "fail":
		made.percent, made.random = *percent, rand.New(rand.NewPCG(*seed, 0))
	case "slow":
		made.delay = *delay
	default:
		return nil, 0, fmt.Errorf("%q: expected full, fail or slow", arguments[0])
	}
	return made, *device, nil
}

// options: nothing is cached beyond the kernel's pages of an open file, so that what others change below is seen at once; permissions are
// checked by the kernel, as on the disk below; locks are those of the files below.
func options() *fs.Options {
	none := time.Duration(0)
	return &fs.Options{
		EntryTimeout: &none,
		AttrTimeout:  &none,
		// who reads what it writes is gone by the time that there were anything to say
		MountOptions: fuse.MountOptions{MaxWrite: largestWrite, EnableLocks: true, Logger: log.New(io.Discard, "", 0)},
	}
}
