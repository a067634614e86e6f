"""Do our books, WeChat Pay, the HIS and the e-bill platform agree? Day by day, and order by order."""
