// metrics.k8s.io and custom.metrics.k8s.io of one node: what `kubectl top` and autoscalers ask for. Use of
// processors and memory comes from the kubelet, http_requests_per_second from what the pods show at port 9090.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	podMetric = "http_requests_per_second"
	bodyMax   = 32 << 20
)

type object = map[string]any

type server struct {
	api, kubelet string
	client       *http.Client
	rates        *rates
}

func main() {
	listen := flag.String("listen", "", "address to answer at")
	api := flag.String("api", "", "address of the API server")
	kubelet := flag.String("kubelet", "", "address of the kubelet")
	keys := flag.String("keys", "", "folder with ca.crt, admin.crt and .key, metrics.crt and .key")
	flag.Parse()
	client, err := newClient(*keys)
	if err != nil {
		log.Fatal(err)
	}
	s := &server{api: *api, kubelet: *kubelet, client: client}
	s.rates = newRates()
	go s.rates.follow(s.pods)
	answers := &http.Server{Addr: *listen, Handler: http.HandlerFunc(s.answer), ReadHeaderTimeout: 10 * time.Second}
	log.Fatal(answers.ListenAndServeTLS(filepath.Join(*keys, "metrics.crt"), filepath.Join(*keys, "metrics.key")))
}

func newClient(keys string) (*http.Client, error) {
	authority, err := os.ReadFile(filepath.Join(keys, "ca.crt"))
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(keys, "admin.crt"), filepath.Join(keys, "admin.key"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}}
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}, nil
}

func (s *server) read(address string, into any) error {
	answer, err := s.client.Get(address)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", address, answer.Status)
	}
	return json.NewDecoder(io.LimitReader(answer.Body, bodyMax)).Decode(into)
}

type meta struct {
	Name      string            `json:"name"`
	Namespace string            `json:"namespace,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
}

type pod struct {
	Metadata meta `json:"metadata"`
	Status   struct {
		Phase string `json:"phase"`
		PodIP string `json:"podIP"`
	} `json:"status"`
}

// pods of a namespace, or of all, that a selector of labels matches.
func (s *server) pods(namespace, selector string) ([]pod, error) {
	path := "/api/v1/pods"
	if namespace != "" {
		path = "/api/v1/namespaces/" + namespace + "/pods"
	}
	var list struct {
		Items []pod `json:"items"`
	}
	err := s.read(s.api+path+"?labelSelector="+url.QueryEscape(selector), &list)
	return list.Items, err
}

type usage struct {
	Time time.Time `json:"time"`
	CPU  struct {
		NanoCores uint64 `json:"usageNanoCores"`
	} `json:"cpu"`
	Memory struct {
		WorkingSet uint64 `json:"workingSetBytes"`
	} `json:"memory"`
	Name string `json:"name"`
}

type summary struct {
	Node usage `json:"node"`
	Pods []struct {
		Ref        meta    `json:"podRef"`
		Containers []usage `json:"containers"`
	} `json:"pods"`
}

func (u usage) quantities() object {
	return object{"cpu": fmt.Sprintf("%dn", u.CPU.NanoCores), "memory": fmt.Sprintf("%dKi", u.Memory.WorkingSet/1024)}
}

func (s *server) nodeMetrics(name string) (any, error) {
	var all summary
	if err := s.read(s.kubelet+"/stats/summary", &all); err != nil {
		return nil, err
	}
	now := time.Now().UTC().Format(time.RFC3339)
	item := object{"apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetrics", "metadata": object{"name": "node"},
		"timestamp": now, "window": "10s", "usage": all.Node.quantities()}
	if name != "" {
		return item, nil
	}
	return object{"apiVersion": "metrics.k8s.io/v1beta1", "kind": "NodeMetricsList", "metadata": object{},
		"items": []any{item}}, nil
}

func (s *server) podMetrics(namespace, name, selector string) (any, error) {
	var all summary
	if err := s.read(s.kubelet+"/stats/summary", &all); err != nil {
		return nil, err
	}
	listed, err := s.pods(namespace, selector)
	if err != nil {
		return nil, err
	}
	wanted := map[string]meta{}
	for _, one := range listed {
		if one.Status.Phase == "Running" && (name == "" || one.Metadata.Name == name) {
			wanted[one.Metadata.Namespace+"/"+one.Metadata.Name] = one.Metadata
		}
	}
	items := []any{}
	for _, one := range all.Pods {
		found, ok := wanted[one.Ref.Namespace+"/"+one.Ref.Name]
		if !ok || len(one.Containers) == 0 {
			continue
		}
		containers := []any{}
		for _, container := range one.Containers {
			containers = append(containers, object{"name": container.Name, "usage": container.quantities()})
		}
		items = append(items, object{"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "metadata": found,
			"timestamp": time.Now().UTC().Format(time.RFC3339), "window": "10s", "containers": containers})
	}
	if name != "" && len(items) == 1 {
		return items[0], nil
	}
	return object{"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetricsList", "metadata": object{},
		"items": items}, nil
}

func (s *server) customMetrics(namespace, selector string) (any, error) {
	listed, err := s.pods(namespace, selector)
	if err != nil {
		return nil, err
	}
	items := []any{}
	for _, one := range listed {
		rate, at, ok := s.rates.of(namespace + "/" + one.Metadata.Name)
		if !ok {
			continue
		}
		items = append(items, object{
			"describedObject": object{"kind": "Pod", "namespace": namespace, "name": one.Metadata.Name, "apiVersion": "/v1"},
			"metricName":      podMetric, "timestamp": at.UTC().Format(time.RFC3339),
			"value": fmt.Sprintf("%dm", int64(rate*1000)), "selector": nil})
	}
	return object{"apiVersion": "custom.metrics.k8s.io/v1beta1", "kind": "MetricValueList", "metadata": object{},
		"items": items}, nil
}

func resources(group string, list ...object) object {
	return object{"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group + "/v1beta1", "resources": list}
}

func resource(name, kind string, namespaced bool) object {
	return object{"name": name, "singularName": "", "namespaced": namespaced, "kind": kind, "verbs": []string{"get", "list"}}
}

func (s *server) find(path, selector string) (any, error) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	switch {
	case path == "/apis/metrics.k8s.io/v1beta1":
		return resources("metrics.k8s.io", resource("nodes", "NodeMetrics", false), resource("pods", "PodMetrics", true)), nil
	case path == "/apis/custom.metrics.k8s.io/v1beta1":
		return resources("custom.metrics.k8s.io", resource("pods/"+podMetric, "MetricValueList", true)), nil
	case len(parts) < 4 || parts[0] != "apis" || parts[2] != "v1beta1":
		return nil, nil
	}
	group, rest := parts[1], parts[3:]
	switch {
	case group == "metrics.k8s.io" && rest[0] == "nodes":
		return s.nodeMetrics(strings.Join(rest[1:], "/"))
	case group == "metrics.k8s.io" && rest[0] == "pods":
		return s.podMetrics("", "", selector)
	case group == "metrics.k8s.io" && len(rest) >= 3 && rest[0] == "namespaces" && rest[2] == "pods":
		return s.podMetrics(rest[1], strings.Join(rest[3:], "/"), selector)
	case group == "custom.metrics.k8s.io" && len(rest) == 5 && rest[2] == "pods" && rest[4] == podMetric:
		return s.customMetrics(rest[1], selector)
	}
	return nil, nil
}

func (s *server) answer(out http.ResponseWriter, request *http.Request) {
	found, err := s.find(strings.TrimSuffix(request.URL.Path, "/"), request.URL.Query().Get("labelSelector"))
	status := http.StatusOK
	switch {
	case err != nil:
		status = http.StatusInternalServerError
		found = object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": err.Error(), "code": status}
	case found == nil:
		status = http.StatusNotFound
		found = object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound",
			"message": request.URL.Path + " is not here", "code": status}
	}
	out.Header().Set("Content-Type", "application/json")
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(found)
}
