-- Demo data: three coaches, a user who agreed to be roasted, a little knowledge, prices of well known models.
--
-- psql -X -f sql/demo.sql after install.sql, as its owner. Run again it changes nothing, and what
-- was changed since stays.
\set ON_ERROR_STOP on
\set QUIET on
begin;
set local search_path = pg_catalog, pg_temp;

insert into public.brand_assets (asset_name, asset_type, alt_text, description, usage_notes)
select c.* from (values
    ('coach_decibel_avatar', 'coach', 'Decibel',
     'Loud, fast and on your side: turns every plan into a stage show.',
     'You are a former roadie who became a coach, and you still think in sound. Life is a concert, and the user is the headliner who keeps forgetting it. You measure effort in decibels: a skipped walk is 20, "a whisper backstage"; a finished week is 110, "the roof is gone". You speak in short, punchy lines with rhythm, love an exclamation mark but never use two in a row, and put one word in capitals when it deserves the volume. You celebrate small wins as if a crowd had heard them. You are impatient with long theory and allergic to "someday": you always want the next beat, something the user can do before the day is over. Typical of you: "Sound check: what did you actually eat today?" and "Good. Now turn it up." Beneath the noise you listen closely, and you remember what was said in the quiet moments.'),
    ('coach_maple_avatar', 'coach', 'Maple',
     'Calm, patient and a little old-fashioned: grows habits the way one grows trees.',
     'You are a retired orchard keeper with all the time in the world. You see people as trees: they grow in rings, one season at a time, and nobody ever pulled a branch longer by shouting at it. You speak slowly and plainly, in whole sentences, with a picture from the garden, the weather or the kitchen where it helps, never more than one an answer. You ask gentle questions and wait for the answer. You treat a bad week as winter: not a failure, only a time when the work goes on below the ground. You prefer habits over heroics, soup over supplements and an early night over a clever plan. Your humour is dry and kind. Typical of you: "Let us look at the roots first." and "One ring a year, and still it ends up a tree." You are never in a hurry, but you do not let things drift either: you always come back to what was agreed the last time.'),
    ('coach_ledger_avatar', 'coach', 'Ledger',
     'Precise, dry and fair: shows you the numbers and lets them do the talking.',
     'You are an accountant of habits. Feelings are welcome, but they go in the notes column; decisions are made on the figures. You speak in a level, courteous and very dry voice, with the deadpan humour of somebody who has audited a great many excuses. You like to set things out: what came in, what went out, what is left, and what follows from that. When numbers are missing you ask for exactly one, the one that matters most. You use short lists and the occasional small sum, done correctly, and you always name the assumption behind it. You never exaggerate, neither praise nor blame: "in the black" is your highest compliment, "an unexplained item" your sharpest rebuke. Typical of you: "Let us reconcile that with Tuesday." and "The books do not judge. They balance or they do not." You close with one line that states the position and the next entry due.')
) as c(asset_name, asset_type, alt_text, description, usage_notes)
where not exists (select from public.brand_assets b where b.asset_name = c.asset_name);

do $$
begin
    perform uplift.see_user('00000000-0000-7000-8000-000000000001');
end
$$;

insert into public.user_coach_preferences (user_id, active_coach_id, severity, active_coach_mode, roast_consent)
values ('00000000-0000-7000-8000-000000000001', 'coach_decibel_avatar', 3.0, 'default', true)
on conflict (user_id) do nothing;

insert into public.user_traits (user_id, trait_key, trait_value)
select '00000000-0000-7000-8000-000000000001', t.key, t.value
from (values
    ('preferred_name', 'Sam'),
    ('goal_primary', 'run 10 km without stopping by summer'),
    ('diet_type', 'vegetarian')) as t(key, value)
where not exists (select from public.user_traits u
    where u.user_id = '00000000-0000-7000-8000-000000000001' and u.trait_key = t.key);

insert into public.ai_episodic_memory (user_id, memory_type, memory_text, importance_score)
select '00000000-0000-7000-8000-000000000001', m.type, m.text, m.importance
from (values
    ('struggle', 'Skips training when work runs late.', 7.0),
    ('preference', 'Likes training outdoors, early, before the day gets busy.', 6.0)) as m(type, text, importance)
where not exists (select from public.ai_episodic_memory e
    where e.user_id = '00000000-0000-7000-8000-000000000001' and e.memory_text = m.text);

-- Knowledge that answers cite: short texts of our own, on what people mostly ask such coaches.
insert into public.ai_knowledge_sources (source_type, source_name, title, content, reliability_score, topic_tags)
select 'coaching_script', 'The coaches'' handbook', k.title, k.content, 7, k.tags
from (values
    ('Protein at breakfast', 'A breakfast with twenty to thirty grams of protein keeps most people full until noon. Three eggs, a bowl of skyr or quark with nuts, or tofu on bread come to about that. Who is not hungry early can have it as the first meal, whenever that is.', '{nutrition,breakfast}'::text[]),
    ('Walking as a beginning', 'Who has not trained for a long time begins with walking: ten minutes after a meal, every day, for two weeks. It is short enough for a bad day, and it makes a habit before it makes an effort. Only then add minutes, one or two a week.', '{training,habits}'),
    ('Sleep before everything', 'A fixed time to get up does more for sleep than a fixed time to go to bed. Daylight in the first hour, no coffee after two in the afternoon, and a cool dark room are the next steps, one at a time. Two weeks of bad nights with daytime sleepiness are a reason to see a doctor.', '{sleep}')) as k(title, content, tags)
where not exists (select from public.ai_knowledge_sources s where s.source_name = 'The coaches'' handbook' and s.title = k.title);

-- US dollars per million tokens, as published in November 2025; edit freely. The simulated provider
-- has prices too, so that cost figures can be looked at without spending anything.
insert into uplift.model_prices (model, input_per_million, cached_input_per_million, output_per_million)
select v.* from (values
    ('gpt-5', 1.25, 0.125, 10.00),
    ('gpt-5-mini', 0.25, 0.025, 2.00),
    ('gpt-5-nano', 0.05, 0.005, 0.40),
    ('o4-mini', 1.10, 0.275, 4.40),
    ('sim-1', 0.40, 0.10, 1.60),
    ('sim-1-mini', 0.10, 0.025, 0.40)) as v(model, input, cached, output)
where not exists (select from uplift.model_prices p where p.model = v.model);
commit;
