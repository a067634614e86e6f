"""The hospital's house: everything its functions share. Unpacked to /opt/hospital by the layer."""
