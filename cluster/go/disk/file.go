package main

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

const blockUnit = 512 // bytes, of st_blocks

// file is an open file of the disk below.
type file struct {
	*fs.LoopbackFile
	ill *illness
}

// opened wraps what go-fuse opened. It appends below, too, if it was opened for that: others may append to the same file past this program,
// whose kernel then has an older end of it in mind.
func opened(below fs.FileHandle, flags uint32, ill *illness) fs.FileHandle {
	loopback, ok := below.(*fs.LoopbackFile)
	if !ok {
		return nil // it could not be opened
	}
	if descriptor, ok := loopback.PassthroughFd(); ok && flags&syscall.O_APPEND != 0 {
		_, _ = unix.FcntlInt(uintptr(descriptor), unix.F_SETFL, syscall.O_APPEND)
	}
	return &file{loopback, ill}
}

func (f *file) Read(ctx context.Context, into []byte, offset int64) (fuse.ReadResult, syscall.Errno) {
	if errno := f.ill.strike(); errno != 0 {
		return nil, errno
	}
	return f.LoopbackFile.Read(ctx, into, offset)
}

func (f *file) Write(ctx context.Context, data []byte, offset int64) (uint32, syscall.Errno) {
	if errno := f.refuse(ctx, offset, len(data)); errno != 0 {
		return 0, errno
	}
	return f.LoopbackFile.Write(ctx, data, offset)
}

func (f *file) Writev(ctx context.Context, data [][]byte, offset int64) (uint32, syscall.Errno) {
	length := 0
	for _, part := range data {
		length += len(part)
	}
	if errno := f.refuse(ctx, offset, length); errno != 0 {
		return 0, errno
	}
	return f.LoopbackFile.Writev(ctx, data, offset)
}

func (f *file) Fsync(ctx context.Context, flags uint32) syscall.Errno {
	if errno := f.ill.strike(); errno != 0 {
		return errno
	}
	return f.LoopbackFile.Fsync(ctx, flags)
}

func (f *file) Allocate(ctx context.Context, offset, length uint64, mode uint32) syscall.Errno {
	if errno := f.refuse(ctx, int64(offset), int(length)); errno != 0 {
		return errno
	}
	return f.LoopbackFile.Allocate(ctx, offset, length, mode)
}

// PassthroughFd keeps the kernel from reading and writing below without asking.
func (f *file) PassthroughFd() (int, bool) { return 0, false }

// Ioctl: the kernel checks what it forwards against the caller, who may do less than this program.
func (f *file) Ioctl(context.Context, uint32, uint64, []byte, []byte) (int32, syscall.Errno) {
	return 0, syscall.ENOTTY
}

// refuse says what becomes of a write: on a full disk it may go over blocks that the file has already.
func (f *file) refuse(ctx context.Context, offset int64, length int) syscall.Errno {
	if errno := f.ill.strike(); errno != 0 {
		return errno
	}
	if errno := f.ill.noSpace(); errno != 0 && !f.owns(ctx, uint64(offset)+uint64(length)) {
		return errno
	}
	return 0
}

// owns tells whether the file has no hole and a block for every byte before end.
func (f *file) owns(ctx context.Context, end uint64) bool {
	var is fuse.AttrOut
	return f.Getattr(ctx, &is) == 0 && end <= is.Size && is.Size <= is.Blocks*blockUnit
}

// directoryBelow is what go-fuse opens a directory as.
type directoryBelow interface {
	fs.FileReaddirenter
	fs.FileReleasedirer
	fs.FileSeekdirer
	fs.FileFsyncdirer
}

// directory is an open directory of the disk below.
type directory struct {
	directoryBelow
	ill *illness
}

func (d *directory) Fsyncdir(ctx context.Context, flags uint32) syscall.Errno {
	if errno := d.ill.strike(); errno != 0 {
		return errno
	}
	return d.directoryBelow.Fsyncdir(ctx, flags)
}
