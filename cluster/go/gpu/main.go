// Command gpu-plugin is a kubelet device plugin that advertises a node's substitute GPUs as nvidia.com/gpu.
//
// A device is a folder GPU-<i> below the folder given as the only argument; it is healthy while it holds a file "status" that says
// "ok". A container that is given GPU-<i> sees that very folder at /dev/aftershock/GPU-<i>, so plugin and workload look
// at the same device, and a lost one fails both.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	resource      = "nvidia.com/gpu"
	socket        = "aftershock-gpu.sock"
	containerRoot = "/dev/aftershock"
	visible       = "NVIDIA_VISIBLE_DEVICES"
	pollInterval  = 200 * time.Millisecond
)

var errSocketGone = errors.New("the kubelet removed the plugin's socket")

type plugin struct {
	api.UnimplementedDevicePluginServer
	folder string
}

func (p *plugin) devices() ([]*api.Device, error) {
	entries, err := os.ReadDir(p.folder)
	if err != nil {
		return nil, err
	}
	devices := []*api.Device{}
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), "GPU-") {
			devices = append(devices, &api.Device{ID: entry.Name(), Health: p.health(entry.Name())})
		}
	}
	return devices, nil
}

func (p *plugin) health(id string) string {
	text, err := os.ReadFile(filepath.Join(p.folder, id, "status"))
	if err != nil || strings.TrimSpace(string(text)) != "ok" {
		return api.Unhealthy
	}
	return api.Healthy
}

// ListAndWatch sends the devices at once and again whenever the health of one has changed.
func (p *plugin) ListAndWatch(_ *api.Empty, stream api.DevicePlugin_ListAndWatchServer) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for last := ""; ; {
		devices, err := p.devices()
		if err != nil {
			return err
		}
		if now := fmt.Sprint(devices); now != last {
			last = now
			log.Printf("devices: %s", now)
			if err := stream.Send(&api.ListAndWatchResponse{Devices: devices}); err != nil {
				return err
			}
		}
		select {
		case <-stream.Context().Done():
			return nil
		case <-tick.C:
		}
	}
}

// Allocate hands the devices' folders, read-only, and their names to the container.
func (p *plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	response := &api.AllocateResponse{}
	for _, container := range request.ContainerRequests {
		ids := slices.Sorted(slices.Values(container.DevicesIds))
		answer := &api.ContainerAllocateResponse{Envs: map[string]string{visible: strings.Join(ids, ",")}}
		for _, id := range ids {
			answer.Mounts = append(answer.Mounts, &api.Mount{
				HostPath: filepath.Join(p.folder, id), ContainerPath: filepath.Join(containerRoot, id), ReadOnly: true,
			})
		}
		response.ContainerResponses = append(response.ContainerResponses, answer)
	}
	return response, nil
}

// GetDevicePluginOptions asks the kubelet for no extra calls.
func (p *plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

// serve registers with the kubelet and returns when the kubelet has restarted (it then removes every plugin's socket).
func serve(folder string) error {
	path := filepath.Join(api.DevicePluginPath, socket)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	defer server.Stop()
	api.RegisterDevicePluginServer(server, &plugin{folder: folder})
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if err := register(); err != nil {
		return err
	}
	return awaitRemoval(path, failed)
}

func awaitRemoval(path string, failed <-chan error) error {
	for {
		select {
		case err := <-failed:
			return err
		case <-time.After(pollInterval):
			if _, err := os.Stat(path); os.IsNotExist(err) {
				return errSocketGone
			}
		}
	}
}

func register() error {
	connection, err := grpc.NewClient("unix://"+api.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request := &api.RegisterRequest{Version: api.Version, Endpoint: socket, ResourceName: resource}
	_, err = api.NewRegistrationClient(connection).Register(ctx, request, grpc.WaitForReady(true))
	return err
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: gpu-plugin FOLDER")
	}
	for {
		log.Printf("serving again after: %v", serve(os.Args[1]))
		time.Sleep(time.Second)
	}
}
