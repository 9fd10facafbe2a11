"""What a .vmx says apart from its keys, in the manner of ESXi and of Workstation."""
from vmxtext import VmxText


def _spaced_uuid(seed, label):
    """As uuid.bios is spelled: `56 4d 0b f6 5f 93 f3 51-da 5a 26 c9 e1 4b f3 30`."""
    digits = "564d" + seed.hex(label, 28)
    pairs = [digits[i:i + 2] for i in range(0, 32, 2)]
    return " ".join(pairs[:8]) + "-" + " ".join(pairs[8:])


def _mac_address(seed, prefix):
    return prefix + ":" + ":".join(f"{b:02x}" for b in seed.bytes("ethernet address", 3))


def esxi(seed, name, disks, vtpm):
    """[(name, value)] of a vSphere 7 machine."""
    bios = _spaced_uuid(seed, "uuid.bios")
    volume = "5f5e1000-{}-{}-000c29{}".format(
        seed.hex("volume 1", 8), seed.hex("volume 2", 4), seed.hex("volume 3", 6))
    settings = [
        ("config.version", "8"),
        ("virtualHW.version", "19"),
        ("svga.present", "TRUE"),
        ("pciBridge0.present", "TRUE"),
        ("pciBridge4.present", "TRUE"),
        ("pciBridge4.virtualDev", "pcieRootPort"),
        ("pciBridge4.functions", "8"),
        ("vmci0.present", "TRUE"),
        ("hpet0.present", "TRUE"),
        ("floppy0.present", "FALSE"),
        ("RemoteDisplay.maxConnections", "-1"),
        ("numvcpus", "2"),
        ("memSize", "4096"),
        ("firmware", "efi"),
        ("uefi.secureBoot.enabled", "TRUE"),
        ("nvram", f"{name}.nvram"),
        ("powerType.suspend", "soft"),
        ("tools.upgrade.policy", "manual"),
        ("sched.cpu.units", "mhz"),
        ("sched.cpu.affinity", "all"),
        ("scsi0.virtualDev", "pvscsi"),
        ("scsi0.present", "TRUE"),
    ]
    for i, disk in enumerate(disks):
        settings += [
            (f"scsi0:{i}.deviceType", "scsi-hardDisk"),
            (f"scsi0:{i}.fileName", disk),
            (f"sched.scsi0:{i}.shares", "normal"),
            (f"sched.scsi0:{i}.throughputCap", "off"),
            (f"scsi0:{i}.present", "TRUE"),
            (f"scsi0:{i}.redo", ""),
        ]
    settings += [
        ("ethernet0.allowGuestConnectionControl", "FALSE"),
        ("ethernet0.virtualDev", "vmxnet3"),
        ("ethernet0.networkName", "VM Network"),
        ("ethernet0.addressType", "vpx"),
        ("ethernet0.generatedAddress", _mac_address(seed, "00:50:56")),
        ("ethernet0.present", "TRUE"),
        ("guestOS", "ubuntu-64"),
        ("uuid.bios", bios),
        ("uuid.location", bios),
        ("vc.uuid", _spaced_uuid(seed, "vc.uuid").replace("56 4d", "50 1f", 1)),
        ("migrate.hostLog", f"{name}-{seed.hex('swap', 8)}.hlog"),
        ("migrate.encryptionMode", "opportunistic"),
        ("ftEncryptionMode", "ftEncryptionOpportunistic"),
        ("sched.swap.derivedName",
         f"/vmfs/volumes/{volume}/{name}/{name}-{seed.hex('swap', 8)}.vswp"),
        ("monitor.phys_bits_used", "45"),
        ("cleanShutdown", "TRUE"),
        ("softPowerOff", "TRUE"),
    ]
    return settings + ([("vtpm.present", "TRUE")] if vtpm else [])


def workstation(seed, name, disks, vtpm):
    """[(name, value)] of a Workstation machine."""
    bios = _spaced_uuid(seed, "uuid.bios")
    settings = [
        ("config.version", "8"),
        ("virtualHW.version", "18"),
        ("mks.enable3d", "TRUE"),
        ("pciBridge0.present", "TRUE"),
        ("pciBridge4.present", "TRUE"),
        ("pciBridge4.virtualDev", "pcieRootPort"),
        ("pciBridge4.functions", "8"),
        ("vmci0.present", "TRUE"),
        ("hpet0.present", "TRUE"),
        ("nvram", f"{name}.nvram"),
        ("virtualHW.productCompatibility", "hosted"),
        ("powerType.powerOff", "soft"),
        ("firmware", "efi"),
        ("uefi.secureBoot.enabled", "TRUE" if vtpm else "FALSE"),
        ("guestOS", "ubuntu-64"),
        ("tools.syncTime", "TRUE"),
        ("sound.autoDetect", "TRUE"),
        ("sound.virtualDev", "hdaudio"),
        ("sound.fileName", "-1"),
        ("sound.present", "TRUE"),
        ("numvcpus", "2"),
        ("cpuid.coresPerSocket", "2"),
        ("memsize", "2048"),
        ("scsi0.virtualDev", "lsilogic"),
        ("scsi0.present", "TRUE"),
    ]
    for i, disk in enumerate(disks):
        settings += [
            (f"scsi0:{i}.fileName", disk),
            (f"scsi0:{i}.present", "TRUE"),
            (f"scsi0:{i}.redo", ""),
        ]
    settings += [
        ("ethernet0.connectionType", "nat"),
        ("ethernet0.addressType", "generated"),
        ("ethernet0.virtualDev", "e1000e"),
        ("ethernet0.present", "TRUE"),
        ("ethernet0.generatedAddress", _mac_address(seed, "00:0c:29")),
        ("extendedConfigFile", f"{name}.vmxf"),
        ("floppy0.present", "FALSE"),
        ("uuid.bios", bios),
        ("uuid.location", bios),
        ("monitor.phys_bits_used", "45"),
        ("cleanShutdown", "TRUE"),
        ("softPowerOff", "FALSE"),
    ]
    vtpm_settings = [("managedvm.autoAddVTPM", "software"), ("vtpm.present", "TRUE")]
    return settings + (vtpm_settings if vtpm else [])


def config_text(settings, quirks):
    """The settings as text, with the oddities that hand-edited files have."""
    text = VmxText()
    if "comments" in quirks:
        text.raw("# edited by hand")
        text.raw("")
    text.update(settings)
    if "annotation" in quirks:
        text.set("annotation", 'He said "hello | goodbye"\nand left.')
    if "duplicates" in quirks:
        text.set("ethernet0.present", "FALSE")
        text.set("memsize", "3072")
        text.set("memsize", "3072")
    if "spacing" in quirks:
        text.set("isolation.tools.copy.disable", "TRUE", '{}="{}"')
        text.set("isolation.tools.paste.disable", "TRUE", '  {}   =   "{}"  ')
        text.set("isolation.tools.dnd.disable", "TRUE", '\t{} = "{}"')
    return text
