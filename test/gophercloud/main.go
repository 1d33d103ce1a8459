// Reads instances and datastores as the maintained gophercloud does, and prints what it has understood, as JSON.
//
// The arguments are the address of an account, a token, the id of an instance and the id of a version. An instance that can't be read ends
// the program with gophercloud's own error.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/db/v1/datastores"
	"github.com/gophercloud/gophercloud/v2/openstack/db/v1/instances"
	"github.com/gophercloud/gophercloud/v2/pagination"
)

type understood struct {
	Instance   *instances.Instance
	Created    time.Time
	Updated    time.Time
	Pages      [][]string
	Datastores []datastores.Datastore
	Datastore  *datastores.Datastore
	Versions   []datastores.Version
	Version    *datastores.Version
	Missing    string
	Deleted    bool
}

func main() {
	result, err := read(context.Background(), os.Args[1], os.Args[2], os.Args[3], os.Args[4])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func read(ctx context.Context, endpoint, token, instance, version string) (*understood, error) {
	provider := &gophercloud.ProviderClient{TokenID: token}
	client := &gophercloud.ServiceClient{ProviderClient: provider, Endpoint: endpoint + "/", Type: "database"}
	result := &understood{}
	var err error
	if result.Instance, err = instances.Get(ctx, client, instance).Extract(); err != nil {
		return nil, fmt.Errorf("get instance: %w", err)
	}
	result.Created, result.Updated = result.Instance.Created, result.Instance.Updated
	err = instances.List(client).EachPage(ctx, func(_ context.Context, page pagination.Page) (bool, error) {
		listed, err := instances.ExtractInstances(page)
		ids := []string{}
		for _, each := range listed {
			ids = append(ids, each.ID)
		}
		result.Pages = append(result.Pages, ids)
		return true, err
	})
	if err != nil {
		return nil, fmt.Errorf("list instances: %w", err)
	}
	page, err := datastores.List(client).AllPages(ctx)
	if err != nil {
		return nil, fmt.Errorf("list datastores: %w", err)
	}
	if result.Datastores, err = datastores.ExtractDatastores(page); err != nil {
		return nil, fmt.Errorf("list datastores: %w", err)
	}
	kind := result.Instance.Datastore.Type
	if result.Datastore, err = datastores.Get(ctx, client, kind).Extract(); err != nil {
		return nil, fmt.Errorf("get datastore: %w", err)
	}
	if page, err = datastores.ListVersions(client, kind).AllPages(ctx); err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	if result.Versions, err = datastores.ExtractVersions(page); err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	if result.Version, err = datastores.GetVersion(ctx, client, kind, version).Extract(); err != nil {
		return nil, fmt.Errorf("get version: %w", err)
	}
	if err = instances.Delete(ctx, client, instance).ExtractErr(); err != nil {
		return nil, fmt.Errorf("delete instance: %w", err)
	}
	result.Deleted = true
	_, err = instances.Get(ctx, client, instance).Extract()
	if !gophercloud.ResponseCodeIs(err, 404) {
		return nil, fmt.Errorf("an instance that is gone is read: %v", err)
	}
	result.Missing = err.Error()
	return result, nil
}
