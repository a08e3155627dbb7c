-- Names of models that admins set have at most 256 bytes, which is what workers have room for and clients may send.
\ir common.psql
select plan(15);

\set fits 'repeat(''é'', 128)'
\set long '(''x'' || repeat(''é'', 128))'
insert into uplift.providers (name, base_url) values ('far', 'http://127.0.0.1:1/v1');

-- A call of an admin function with a name in its place.
create function pg_temp.call(p_function text, p_arguments text, p_model text) returns text language sql as $$
    select pg_temp.refused(format('select uplift_batch.%I(null, %L, ''x'')', p_function, replace(p_arguments, 'MODEL', p_model)))
$$;
create temp table calls (function, arguments, parameter) as values
    ('admin_create_budget', '{"scope": "total", "period": "day", "limit_usd": 1, "action": "cheaper", "cheaper_model": "MODEL"}', 'cheaper_model'),
    ('admin_put_model', '{"name": "MODEL", "routes": [{"provider": "far"}]}', 'name'),
    ('admin_put_model', '{"name": "routed", "routes": [{"provider": "far", "model": "MODEL"}]}', 'model'),
    ('admin_put_price', '{"model": "MODEL", "input_per_million": 1, "output_per_million": 1}', 'model'),
    ('admin_put_model_rule', '{"scope": "user", "allow": ["MODEL"]}', 'allow'),
    ('admin_put_model_rule', '{"scope": "user", "deny": ["MODEL"]}', 'deny');
select is(pg_temp.call(c.function, c.arguments, :fits), 'not at all', format('%s takes a %s of 256 bytes', c.function, c.parameter)) from calls c;
select is(pg_temp.call(c.function, c.arguments, :long), format('UP400 invalid_%s %1$s', c.parameter), format('%s refuses one of 257', c.function))
from calls c;
select is(pg_temp.call('admin_put_price', '{"model": "", "input_per_million": 1, "output_per_million": 1}', ''), 'UP400 invalid_model model', 'and an empty one');
select is(pg_temp.call('admin_put_price', '{"model": 1, "input_per_million": 1, "output_per_million": 1}', ''), 'UP400 invalid_model model', 'and what is no text');
select is(pg_temp.call('admin_put_price', '{"input_per_million": 1, "output_per_million": 1}', ''), 'UP400 incomplete_price', 'none is none');

select finish();
rollback;
