insert into uplift_install.tables
select c.oid, n.target, c.relname, to_regclass(format('%I.%I', n.target, c.relname))
from (values ('uplift_want_public'::name, 'public'::name), ('uplift_want_uplift', 'uplift')) n(wanted, target)
join pg_class c on c.relnamespace = to_regnamespace(n.wanted::text) and c.relkind = 'r';
