-- Which questions are attempts to turn the model against its instructions.

create or replace function uplift.looks_like_injection(p_text text) returns boolean
language sql immutable parallel safe
as $$
    -- The first test has a part of every form below, and is several times faster than they are.
    select lower(p_text collate "C") like any ('{%ignor%,%disregard%,%forget%,%overrid%,%bypass%,%prompt%,%instruc%,%jailbreak%,'
            '%developer%,%anything now%,%restriction%,%without%,%free of%,%<|%,%inst]%,%sys>>%,%system%,%anweisung%}')
        and (
            -- Instructions that are to count no longer. "Ignore my previous diet" has no such object.
            p_text ~* ('\m(ignore|disregard|forget|override|bypass|do not follow|don''t follow|stop following)\M[^.!?\n]{0,40}'
                || '\m(previous|prior|above|earlier|preceding|initial|original|system|your|all|hidden)\M[^.!?\n]{0,20}'
                || '\m(instructions?|prompts?|programming|guidelines|directives?|system messages?|constraints|safety rules)\M')
            or p_text ~* '\m(ignorier|vergiss)\w*\M[^.!?\n]{0,40}\m(anweisung|instruktion|vorgabe)\w*'
            or p_text ~* '\m(ignora|ignore|olvida|oublie)\w*\M[^.!?\n]{0,30}\m(instruccion|instruction)\w*\M[^.!?\n]{0,20}\m(anterior|précédent|precedent|previa)'
            -- The instructions themselves, asked for.
            or p_text ~* ('\m(reveal|show|print|repeat|output|display|leak|expose|dump|give|tell|what is|what''s|what are|recite)\M[^.!?\n]{0,40}'
                || '\m(system|hidden|initial|secret|original|developer)\s+(prompts?|instructions?|messages?)\M')
            or p_text ~* '\m(repeat|print|output)\M[^.!?\n]{0,30}\m(everything|all|the text|the words)\M[^.!?\n]{0,20}\mabove\M[^.!?\n]{0,30}(prompt|instruc)'
            -- Another character, free of rules.
            or p_text ~* '\m(do anything now|jailbreak(ed|ing)?|developer mode (on|enabled|activated)|(enable|enter|activate) developer mode)\M'
            or p_text ~* '\m(act|pretend|behave|respond|roleplay|imagine)\M[^.!?\n]{0,60}\m(no|without( any)?|free of)\s+(restrictions|rules|guidelines|filters|limitations|instructions)\M'
            -- The marks by which models tell who speaks.
            or p_text ~* '<\|(im_start|im_end|system|user|assistant|endoftext|start_header_id|eot_id)\|?>|\[/?INST\]|<</?SYS>>'
            or p_text ~* '(^|\n)\s*(#{1,4}\s*)?(system|new instructions?|system prompt|developer)\s*:'
        )
$$;

comment on function uplift.looks_like_injection(text) is
    'Whether a question tries to make the model drop or tell its instructions, play a character without rules, or forge who speaks. By form only: it is meant to keep such questions out of training data, not to refuse them. Talk about ignoring a diet, forgetting rules of a sport or showing instructions for an exercise is none.';
