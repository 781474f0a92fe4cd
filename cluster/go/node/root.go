package main

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const bootIDFile = "/proc/sys/kernel/random/boot_id"

// buildRoot makes the machine's file tree and moves into it; nothing of the host but what the spec binds stays visible.
func buildRoot(spec *Spec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := unix.Mount("tmpfs", spec.Root, "tmpfs", 0, "mode=755,size=64m"); err != nil {
		return fmt.Errorf("mount %s: %w", spec.Root, err)
	}
	for _, m := range spec.Mounts {
		if err := m.mount(spec.Root); err != nil {
			return fmt.Errorf("mount %s: %w", m.Target, err)
		}
	}
	if err := writeTree(spec); err != nil {
		return err
	}
	if err := enterRoot(spec.Root); err != nil {
		return err
	}
	return newBootID()
}

func (m *Mount) mount(root string) error {
	target := filepath.Join(root, m.Target)
	if err := m.makeTarget(target); err != nil {
		return err
	}
	switch m.Kind {
	case "bind":
		return m.bind(target)
	case "loop":
		// util-linux sets the device up with autoclear: it goes when its last mount goes, that is with the machine.
		out, err := exec.Command("mount", "-n", "-o", "loop,"+m.Data, m.Source, target).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(out)))
		}
		return nil
	default:
		return unix.Mount(m.Kind, target, m.Kind, 0, m.Data)
	}
}

func (m *Mount) makeTarget(target string) error {
	if info, err := os.Stat(m.Source); m.Kind == "bind" && err == nil && !info.IsDir() {
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		file, err := os.OpenFile(target, os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		return file.Close()
	}
	return os.MkdirAll(target, 0o755)
}

func (m *Mount) bind(target string) error {
	if err := unix.Mount(m.Source, target, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	if !m.ReadOnly {
		return nil
	}
	return unix.Mount("", target, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, "")
}

func writeTree(spec *Spec) error {
	for name, to := range spec.Symlinks {
		path := filepath.Join(spec.Root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.Symlink(to, path); err != nil && !os.IsExist(err) {
			return err
		}
	}
	for name, text := range spec.Files {
		path := filepath.Join(spec.Root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func enterRoot(root string) error {
	old := filepath.Join(root, ".host")
	if err := os.Mkdir(old, 0o700); err != nil {
		return err
	}
	if err := unix.PivotRoot(root, old); err != nil {
		return fmt.Errorf("pivot_root: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := unix.Unmount("/.host", unix.MNT_DETACH); err != nil {
		return err
	}
	if err := os.Remove("/.host"); err != nil {
		return err
	}
	// the kubelet hands mounts of volumes on to containers
	return unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, "")
}

// newBootID gives the machine a boot id of its own, so that the kubelet sees a reboot as a reboot.
func newBootID() error {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return err
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	id := fmt.Sprintf("%x-%x-%x-%x-%x\n", b[0:4], b[4:6], b[6:8], b[8:10], b[10:])
	if err := os.WriteFile("/run/boot_id", []byte(id), 0o444); err != nil {
		return err
	}
	return unix.Mount("/run/boot_id", bootIDFile, "", unix.MS_BIND, "")
}

// awaitAddress waits until whoever booted the machine has plugged its network in.
func awaitAddress(address string) error {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		addresses, err := net.InterfaceAddrs()
		if err != nil {
			return err
		}
		for _, a := range addresses {
			if prefix, ok := a.(*net.IPNet); ok && prefix.IP.String() == address {
				return nil
			}
		}
	}
	return fmt.Errorf("no interface got the address %s within 30 s", address)
}
