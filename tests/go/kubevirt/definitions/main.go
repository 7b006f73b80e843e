// Prints what KubeVirt's own operator would create before virt-api and virt-controller: CRDs and webhook configurations, as
// one JSON document a line.
package main

import (
	"encoding/json"
	"log"
	"os"

	extv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"kubevirt.io/kubevirt/pkg/virt-operator/resource/generate/components"
)

func main() {
	out := json.NewEncoder(os.Stdout)
	print := func(object any) {
		if err := out.Encode(object); err != nil {
			log.Fatal(err)
		}
	}
	crds := []func() (*extv1.CustomResourceDefinition, error){
		components.NewVirtualMachineInstanceCrd, components.NewVirtualMachineCrd, components.NewPresetCrd,
		components.NewReplicaSetCrd, components.NewVirtualMachineInstanceMigrationCrd, components.NewKubeVirtCrd,
		components.NewVirtualMachinePoolCrd, components.NewVirtualMachineSnapshotCrd,
		components.NewVirtualMachineSnapshotContentCrd, components.NewVirtualMachineRestoreCrd,
		components.NewVirtualMachineExportCrd, components.NewVirtualMachineBackupCrd,
		components.NewVirtualMachineBackupTrackerCrd, components.NewVirtualMachineInstancetypeCrd,
		components.NewVirtualMachineClusterInstancetypeCrd, components.NewVirtualMachinePreferenceCrd,
		components.NewVirtualMachineClusterPreferenceCrd, components.NewMigrationPolicyCrd,
		components.NewVirtualMachineCloneCrd,
	}
	for _, crd := range crds {
		object, err := crd()
		if err != nil {
			log.Fatal(err)
		}
		print(object)
	}
	print(components.NewVirtAPIMutatingWebhookConfiguration("kubevirt"))
	print(components.NewVirtAPIValidatingWebhookConfiguration("kubevirt"))
}
