-- What the operator of a simulated uplift sets, for which there are no URLs: coaches with nothing switched on, the price
-- of training, that the simulation says when it may train again, and that nothing runs but what the simulation starts.
\set ON_ERROR_STOP on
begin;
insert into public.brand_assets (asset_name, asset_type, alt_text, description, usage_notes)
select p.plain, b.asset_type, b.alt_text, b.description, b.usage_notes
from (values ('coach_decibel_avatar', 'coach_plain_avatar'), ('coach_maple_avatar', 'coach_plain_maple_avatar')) p(coach, plain)
join public.brand_assets b on b.asset_name = p.coach;
update public.ai_knowledge_sources set is_active = false;
update uplift.batch_schedules set is_enabled = false;
insert into uplift.training_prices (model, per_million_tokens) values ('sim-1-mini', 5);
update uplift.settings set value = '0' where key = 'training.min_days';
commit;
