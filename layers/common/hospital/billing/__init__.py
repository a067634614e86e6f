"""Outpatient bills (门诊费用): shown live, paid several at once, settled one by one, refunded."""
