package main

import (
	"context"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// node is a file or directory of the disk below; go-fuse wraps each that it meets (NodeWrapChilder).
type node struct {
	*fs.LoopbackNode
	ill *illness
}

func wrapped(below fs.InodeEmbedder, ill *illness) fs.InodeEmbedder {
	return &node{below.(*fs.LoopbackNode), ill}
}

func (n *node) WrapChild(_ context.Context, below fs.InodeEmbedder) fs.InodeEmbedder {
	return wrapped(below, n.ill)
}

func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	if errno := n.ill.noSpace(); errno != 0 {
		return nil, nil, 0, errno
	}
	inode, below, fuseFlags, errno := n.LoopbackNode.Create(ctx, name, flags, mode, out)
	return inode, opened(below, flags, n.ill), fuseFlags, errno
}

// Tmpfile: FUSE cannot link a file without a name into place, so there is no O_TMPFILE, as on NFS; who uses it has another way.
func (n *node) Tmpfile(context.Context, uint32, uint32, *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, syscall.ENOSYS
}

func (n *node) Open(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	below, fuseFlags, errno := n.LoopbackNode.Open(ctx, flags)
	return opened(below, flags, n.ill), fuseFlags, errno
}

func (n *node) OpendirHandle(ctx context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	below, fuseFlags, errno := n.LoopbackNode.OpendirHandle(ctx, flags)
	if errno != 0 {
		return nil, 0, errno
	}
	return &directory{below.(directoryBelow), n.ill}, fuseFlags, 0
}

func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.ill.noSpace(); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Mkdir(ctx, name, mode, out)
}

func (n *node) Mknod(ctx context.Context, name string, mode, device uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.ill.noSpace(); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Mknod(ctx, name, mode, device, out)
}

func (n *node) Symlink(ctx context.Context, target, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.ill.noSpace(); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Symlink(ctx, target, name, out)
}

func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	if errno := n.ill.noSpace(); errno != 0 {
		return nil, errno
	}
	return n.LoopbackNode.Link(ctx, target, name, out)
}

func (n *node) Setxattr(ctx context.Context, name string, value []byte, flags uint32) syscall.Errno {
	if errno := n.ill.noSpace(); errno != 0 {
		return errno
	}
	return n.LoopbackNode.Setxattr(ctx, name, value, flags)
}

func (n *node) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	errno := n.LoopbackNode.Statfs(ctx, out)
	if n.ill.noSpace() != 0 {
		out.Bfree, out.Bavail, out.Ffree = 0, 0, 0
	}
	return errno
}
