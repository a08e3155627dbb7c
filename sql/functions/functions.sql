-- The functions, in the order they need each other; paths are relative to this file.
\ir basics.sql
\ir coaches.sql
\ir prompt.sql
\ir personas.sql
\ir chat.sql
\ir feedback.sql
\ir answers.sql

-- All that the programs may do. What is not named here is for the functions themselves and admins.
grant execute on function
    uplift.schema_version(),
    uplift.ready(),
    uplift.list_coaches(),
    uplift.list_personas(),
    uplift.prepare_chat(uuid, text, text, numeric, text, uuid, uuid, text, int),
    uplift.record_answers(json),
    uplift.reject_answer(text, text),
    uplift.give_feedback(uuid, uuid, jsonb, boolean, timestamptz, uuid),
    uplift.get_feedback(uuid, uuid, boolean)
to uplift_app;
