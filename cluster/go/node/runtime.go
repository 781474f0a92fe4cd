package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
)

const (
	runtimeName     = "aftershock-runc"
	imagesFile      = "/etc/containerd/images.json"
	imageAnnotation = "io.kubernetes.cri.image-name" // containerd's: as the pod's manifest writes it
	registry        = "docker.io/"                   // what a name without a registry means
)

// runtime stands in runc's place: it gives a new container the files of its image, then becomes runc. The images on a
// node are empty, and containerd's base specification is the same for every image.
func runtime(argv []string) error {
	if bundle := bundleOf(argv); bundle != "" {
		if err := addImage(filepath.Join(bundle, "config.json"), imagesFile); err != nil {
			return err
		}
	}
	runc, err := exec.LookPath("runc")
	if err != nil {
		return err
	}
	return syscall.Exec(runc, append([]string{"runc"}, argv...), os.Environ())
}

// bundleOf returns the folder of the container that is made by these arguments; empty if they make none.
func bundleOf(argv []string) string {
	for i, word := range argv {
		if word == "--bundle" && i+1 < len(argv) {
			return argv[i+1]
		}
	}
	return ""
}

// addImage adds the mounts of a container's image to its configuration; a container of no known image (the sandbox) stays as it is.
func addImage(configFile, imagesFile string) error {
	var config map[string]any
	if err := readJSON(configFile, &config); err != nil {
		return err
	}
	var images map[string][]any
	if err := readJSON(imagesFile, &images); err != nil {
		return err
	}
	annotations, _ := config["annotations"].(map[string]any)
	name, _ := annotations[imageAnnotation].(string)
	added, known := images[strings.TrimPrefix(name, registry)]
	if !known {
		return nil
	}
	mounts, _ := config["mounts"].([]any)
	config["mounts"] = outerFirst(append(mounts, added...))
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	return os.WriteFile(configFile, text, 0o600)
}

// outerFirst sorts mounts as containerd does: what lies inside another mount comes after it.
func outerFirst(mounts []any) []any {
	depth := func(i int) int {
		mount, _ := mounts[i].(map[string]any)
		destination, _ := mount["destination"].(string)
		return strings.Count(filepath.Clean(destination), "/")
	}
	sort.SliceStable(mounts, func(i, j int) bool { return depth(i) < depth(j) })
	return mounts
}

// readJSON keeps numbers as they are written: limits do not fit into a float.
func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
