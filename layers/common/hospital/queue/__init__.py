"""The queue (排队候诊): the number that was called, who is before me, and about how long it takes."""
